import type { AgentCard } from '../../schemas/agent-card.ts';
import type { AgentId } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
import type { Agent } from './agent.ts';

/** The agents that this gateway serves, in the order of the configuration. */
export class AgentRegistry {
  /** Who answers where a caller names no agent: the first. */
  readonly default: Agent;
  readonly #agents: ReadonlyMap<AgentId, Agent>;

  /** @throws Fault `config-invalid`: no agent at all, or two under one id */
  constructor(agents: readonly Agent[]) {
    const [first] = agents;
    if (first === undefined) throw new Fault('config-invalid', 'agents: at least one is needed', { path: 'agents' });
    this.default = first;
    this.#agents = new Map(agents.map((agent) => [agent.card.id, agent]));
    if (this.#agents.size < agents.length) {
      const ids = agents.map((agent) => agent.card.id);
      const repeated = ids.find((id, index) => ids.indexOf(id) < index);
      throw new Fault('config-invalid', `agents: two have the id ${JSON.stringify(repeated)}`, { path: 'agents' });
    }
  }

  find(id: AgentId): Agent | undefined {
    return this.#agents.get(id);
  }

  cards(): readonly AgentCard[] {
    return [...this.#agents.values()].map((agent) => agent.card);
  }
}
