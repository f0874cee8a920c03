// A gateway whose counter counts and never says so: what a process that dies in between looks like.
import { join } from 'node:path';
import { FileCounter } from '../../dist/src/agents/demo/counter.js';
import { DemoAgent } from '../../dist/src/agents/demo/demo-agent.js';
import { systemClock } from '../../dist/src/clock.js';

const counter = new FileCounter(join(process.env.COUNTER_DIRECTORY, 'demo-count.jsonl'));

const unrecorded = {
  async increment(key) {
    await counter.increment(key);
    process.stderr.write('counted\n');
    return new Promise(() => undefined);
  },
  read: () => counter.read(),
};

export default { agents: [new DemoAgent({ id: 'demo', clock: systemClock, counter: unrecorded })] };
