import { describe, expect, it } from 'vitest';
import { A2aVisitor } from '../support/a2a-visitor.ts';
import { AcpVisitor } from '../support/acp-visitor.ts';
import { AgUiVisitor } from '../support/ag-ui-visitor.ts';
import { Doors, passers } from '../support/doors.ts';
import { until } from '../support/until.ts';
import { type OpenVisitor, questionOf, type Visitor } from '../support/visitor.ts';

const doors = {
  'AG-UI': (gateway, visit) => AgUiVisitor.open(gateway, visit),
  A2A: (gateway, visit) => A2aVisitor.open(gateway, visit, 'JSONRPC'),
  ACP: (gateway, visit) => AcpVisitor.open(gateway, visit, 'acpWebSocket'),
} as const satisfies Record<string, OpenVisitor>;
type Door = keyof typeof doors;

const orders: readonly (readonly [Door, Door, Door])[] = [
  ['AG-UI', 'A2A', 'ACP'],
  ['AG-UI', 'ACP', 'A2A'],
  ['A2A', 'AG-UI', 'ACP'],
  ['A2A', 'ACP', 'AG-UI'],
  ['ACP', 'AG-UI', 'A2A'],
  ['ACP', 'A2A', 'AG-UI'],
];

const conversation = 'shared';

/** A gateway with one conversation that is at home in a folder; in the end its store is in order. */
async function withGateway(use: (gateway: Doors) => Promise<void>): Promise<void> {
  await using gateway = await Doors.open();
  const caller = { ...passers.ann, door: 'control', origin: 'user' } as const;
  const workspace = { cwd: '/home/ann', additionalDirectories: [] };
  await gateway.mailbox.threads.create(caller, { id: conversation, workspace });
  await use(gateway);
  await gateway.idle();
  expect(await gateway.violations()).toEqual([]);
}

function visit(gateway: Doors, door: Door): Promise<Visitor> {
  return doors[door](gateway, { as: 'ann', conversation });
}

describe.each(orders)('over %s, %s and %s', (starting, watching, answering) => {
  it(
    'one run is started, watched and answered, and ends alike for all three',
    { tags: 'questions-are-everybodys' },
    () =>
      withGateway(async (gateway) => {
        await using starter = await visit(gateway, starting);
        const turn = starter.say('/approve');
        await turn.asks(1);
        await using watcher = await visit(gateway, watching);
        const watched = await watcher.comeBack();
        expect((await questionOf(watched)).text).toBe('Send the message to person-1@example.com?');
        await using answerer = await visit(gateway, answering);
        const answered = await answerer.comeBack();
        await answered.answer([await questionOf(answered), 'approve']);

        const whole = 'I would like to send a message.Message 1 was sent.';
        for (const shown of [await starter.comeBack(), watched, answered]) {
          await until('the end', () => shown.text.endsWith('sent.'));
          expect(shown.text).toBe(whole);
        }
        await gateway.idle();
        const log = await gateway.store.readEvents({ scope: 'acme', threadId: conversation }, 0, 1000);
        const types = log.map(({ type }) => type);
        for (const once of ['run.started', 'ticket.opened', 'ticket.closed', 'run.finished']) {
          expect(types.filter((type) => type === once)).toEqual([once]);
        }
        const said = ['user: /approve', 'agent: I would like to send a message.', 'agent: Message 1 was sent.'];
        for (const someone of [starter, watcher, answerer]) expect(await someone.read()).toEqual(said);
      }),
  );

  it('a conversation goes on, and reads alike at each of them', () =>
    withGateway(async (gateway) => {
      const said: string[] = [];
      for (const door of [starting, watching, answering]) {
        await using someone = await visit(gateway, door);
        const turn = someone.say(`over ${door}`);
        expect(await turn.ended).toEqual({ is: 'completed' });
        said.push(`user: over ${door}`, `agent: You said: “over ${door}”`);
      }
      for (const door of orders[0] ?? []) {
        await using reader = await visit(gateway, door);
        expect(await reader.read()).toEqual(said);
      }
    }));
});
