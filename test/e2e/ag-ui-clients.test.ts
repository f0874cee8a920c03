import { describe, expect, test } from 'vitest';
import { type Client, clients, olderClients } from '../support/ag-ui-clients.ts';
import { Frontend, type Turn } from '../support/ag-ui-frontend.ts';
import { shareGateway } from '../support/shared-gateway.ts';

const gateway = shareGateway();
const { pages } = gateway;

/** What somebody does with the page, the command first. */
type Story = (page: Frontend, command: string) => Promise<Turn>;

const say: Story = (page, command) => page.say(command);

const approve: Story = async (page, command) => {
  const asked = await page.say(command);
  expectAsked(asked);
  return page.approve(asked.interrupts);
};

const fillIn: Story = async (page, command) => {
  const asked = await page.say(command);
  expectAsked(asked);
  return page.answer(
    asked.interrupts.map(({ id }) => ({
      interruptId: id,
      status: 'resolved',
      payload: { name: 'Ada', age: 36 },
    })),
  );
};

const runTool: Story = async (page, command) => {
  const tools = [{ name: 'pick_colour', description: 'asks the user', parameters: { type: 'object', properties: {} } }];
  const called = await page.say(command, { tools });
  expect(called).toMatchObject({ outcome: 'success', failure: undefined });
  const [call] = page.messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []));
  expect(call).toMatchObject({ function: { name: 'pick_colour', arguments: '{}' } });
  page.agent.addMessage({ id: 'result', role: 'tool', toolCallId: call?.id ?? '', content: 'green' });
  return page.run({ tools });
};

function expectAsked(asked: Turn): void {
  expect(asked).toMatchObject({ outcome: 'interrupt', failure: undefined });
  expect(asked.interrupts.length).toBeGreaterThan(0);
}

const counted = Array.from({ length: 50 }, (_, index) => `${index + 1} `).join('');
const sent = (number: number): string =>
  `tool: Pretended to send {"to":"person-${number}@example.com","text":"Hello from Anyport!"}`;

/** Each command of the demo agent: what is done with it, and what the page holds then, a line a message. */
const stories: readonly (readonly [command: string, story: Story, shown: readonly (string | RegExp)[]])[] = [
  ['hello', say, ['assistant: You said: “hello”']],
  ['/help', say, [/^assistant: I quote what you say/]],
  ['/stream 50', say, [`assistant: ${counted}`]],
  ['/think', say, [/^reasoning: Six times seven: /, 'assistant: Six times seven is 42.']],
  ['/tool', say, ['calls add {"a":19,"b":23}', 'tool: 42', /^activity/, 'assistant: 19 and 23 are 42.']],
  [
    '/approve',
    approve,
    ['assistant: I would like to send a message.', /^calls send_message/, sent(1), 'assistant: Message 1 was sent.'],
  ],
  [
    '/approve 2',
    approve,
    [
      'assistant: I would like to send 2 messages.',
      /^calls send_message/,
      /^calls send_message/,
      sent(1),
      sent(2),
      'assistant: Message 1 was sent. Message 2 was sent.',
    ],
  ],
  ['/form', fillIn, ['assistant: Hello Ada, you are 36 years old.']],
  ['/frontend pick_colour', runTool, ['calls pick_colour {}', 'tool: green', /^assistant: .*green/]],
  ['/plan', say, [/^activity: .*Report back.*completed/, 'assistant: All three entries of the plan are completed.']],
  ['/state', say, ['assistant: The shared state says that two steps are done.']],
  ['/artifact', say, [/^activity: .*Signed: the demo agent/, 'assistant: I handed over report.md in three chunks.']],
  [
    '/steer 2',
    say,
    ['assistant: This was step 1 of 2.', 'assistant: This was step 2 of 2.', 'assistant: All steps are done: 2.'],
  ],
  ['/fail transient 1', say, ['assistant: Attempt 2 works.']],
  ['/count', approve, [/^assistant: I counted, and am number \d/, /^assistant: I am still number \d/]],
];

/** What a page holds after the first message, a line for each message and call; what is empty is not shown. */
function linesOf({ messages }: Frontend): string[] {
  return messages.slice(1).flatMap((message) => {
    const { role, content = '' } = message;
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    return [
      ...(text === '' ? [] : [`${role}: ${text}`]),
      ...calls.map(({ function: called }) => `calls ${called.name} ${called.arguments}`),
    ];
  });
}

describe.concurrent.each([...clients, ...olderClients])('$name', (client: Client) => {
  const open = (): Frontend => {
    const page = new Frontend(client, { url: gateway.url });
    pages.push(page);
    return page;
  };

  test.each(stories)(
    'completes %s',
    { tags: ['stream-is-well-formed', 'retry-is-no-end'] },
    async (command, story, shown) => {
      const page = open();
      const turn = await story(page, command);
      expect(turn).toMatchObject({ outcome: 'success', failure: undefined });
      const lines = linesOf(page);
      expect(lines).toHaveLength(shown.length);
      for (const line of shown) {
        expect(lines).toContainEqual(typeof line === 'string' ? line : expect.stringMatching(line));
      }
      if (command === '/state') {
        expect(page.agent.state).toEqual({ demo: { status: 'done', steps: ['first', 'second'] } });
      }
      // And the conversation goes on.
      expect(await page.say('thanks')).toMatchObject({ outcome: 'success', failure: undefined });
      expect(linesOf(page).at(-1)).toBe('assistant: You said: “thanks”');
    },
  );

  test.each([
    ['/fail permanent', 'error AGENT_REFUSED'],
    ['/crash', 'error INTERNAL'],
  ])('is told that %s failed', { tags: 'retry-is-no-end' }, async (command, outcome) => {
    const page = open();
    const turn = await page.say(command);
    expect(turn).toMatchObject({ outcome, failure: undefined });
    expect(turn.events.filter(({ type }) => type === 'RUN_ERROR' || type === 'RUN_FINISHED')).toHaveLength(1);
    // And not of what in the agent's own code.
    expect(JSON.stringify(turn.events)).not.toMatch(/TypeError|at .*\.js/);
    expect(await page.say('thanks')).toMatchObject({ outcome: 'success', failure: undefined });
  });
});
