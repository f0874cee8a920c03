import { describe, expect, it } from 'vitest';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { AgentRegistry } from '../../src/agents/registry.ts';
import { systemClock } from '../../src/clock.ts';

const agentNamed = (id: string): DemoAgent => new DemoAgent({ id, clock: systemClock, counter: new MemoryCounter() });

describe('the agents of a gateway', () => {
  const [first, second] = [agentNamed('first'), agentNamed('second')];
  const registry = new AgentRegistry([first, second]);

  it('are found by id', () => {
    expect(registry.find('second')).toBe(second);
    expect(registry.find('third')).toBeUndefined();
    expect(registry.cards().map((card) => card.id)).toEqual(['first', 'second']);
  });

  it('begin with the default one', () => {
    expect(registry.default).toBe(first);
  });

  it('have each an id of their own', () => {
    expect(() => new AgentRegistry([first, second, agentNamed('first')])).toThrow(
      expect.objectContaining({ code: 'config-invalid', message: 'agents: two have the id "first"' }),
    );
  });

  it('are at least one', () => {
    expect(() => new AgentRegistry([])).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });
});
