import { setImmediate as nextTick } from 'node:timers/promises';
import type * as acp from '@agentclientprotocol/sdk';
import { RequestError } from '@agentclientprotocol/sdk';
import { describe, expect, it } from 'vitest';
import type { Principal } from '../../schemas/id.ts';
import { deferred } from '../../src/deferred.ts';
import { Ide } from '../support/acp-client.ts';
import { type AcpGateway, openAcp } from '../support/acp-gateway.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';

const ada: Principal = { scope: 'local', actor: 'ada' };

function allowing({ options }: acp.RequestPermissionRequest): acp.RequestPermissionResponse {
  const allow = options.find(({ kind }) => kind === 'allow_once');
  return { outcome: { outcome: 'selected', optionId: allow?.optionId ?? '' } };
}

async function withIde(
  options: Parameters<typeof Ide.open>[1],
  use: (ide: Ide, session: string, gateway: AcpGateway) => Promise<void>,
): Promise<void> {
  await using gateway = await openAcp();
  await using ide = await Ide.open(gateway.stream(), options);
  await use(ide, await ide.newSession(), gateway);
}

describe('every demo command over ACP', () => {
  it.each([
    ['hello', 'You said: “hello”'],
    ['/stream 5', '1 2 3 4 5 '],
    ['/frontend clock', 'Your client does not offer a tool named clock. It offers none.'],
    ['/state', undefined],
    ['/steer 2', undefined],
    ['/where', 'I am at home in /home/ann.'],
    ['/help', undefined],
    ['/fail transient 1', undefined],
  ])('%s ends its turn', async (text, answer) => {
    await withIde({}, async (ide, session) => {
      expect(await ide.prompt(session, text)).toBe('end_turn');
      if (answer === undefined) expect(ide.textOf(session)).not.toBe('');
      else expect(ide.textOf(session)).toBe(answer);
    });
  });

  it('/think thinks before it speaks', () =>
    withIde({}, async (ide, session) => {
      await ide.prompt(session, '/think');
      expect(ide.textOf(session, 'agent_thought_chunk')).toMatch(/^Six times seven/);
      expect(ide.textOf(session)).toBe('Six times seven is 42.');
    }));

  it('/tool shows a call through its whole life', () =>
    withIde({}, async (ide, session) => {
      await ide.prompt(session, '/tool');
      const states = ide
        .of(session)
        .flatMap((update) => ('toolCallId' in update && update.status ? [update.status] : []));
      expect(states).toEqual(['pending', 'in_progress', 'in_progress', 'completed']);
      const [call] = ide.callsOf(session).values();
      expect(call).toMatchObject({ title: 'Add 19 and 23', rawInput: { a: 19, b: 23 }, status: 'completed' });
    }));

  it('/plan shows the plan as it progresses', () =>
    withIde({}, async (ide, session) => {
      await ide.prompt(session, '/plan');
      const plans = ide.of(session).filter((update) => update.sessionUpdate === 'plan');
      expect(plans.at(-1)).toMatchObject({ entries: [{ status: 'completed' }, {}, {}] });
    }));

  it('/artifact shows the file', () =>
    withIde({}, async (ide, session) => {
      expect(await ide.prompt(session, '/artifact')).toBe('end_turn');
      expect(ide.of(session).length).toBeGreaterThan(2);
    }));

  it.each(['/fail permanent', '/crash'])(
    '%s answers the prompt with an error, and says nothing of its inside',
    (text) =>
      withIde({}, async (ide, session) => {
        const failed = await ide.prompt(session, text).catch((thrown: unknown) => thrown);
        expect(failed).toBeInstanceOf(RequestError);
        expect(failed).toMatchObject({ code: -32603 });
        if (text === '/crash') expect(JSON.stringify(failed)).not.toContain('asked to crash');
      }),
  );

  it('that fails unexpectedly is told without its reason, which is logged once', async () => {
    const failing = scripted(async function* (_, context) {
      yield* say(context, 'a', 'so far');
      throw new TypeError('the password is x');
    });
    await using gateway = await openAcp(failing, { limits: { maxAttempts: 1 } });
    await using ide = await Ide.open(gateway.stream());
    const failed = ide.prompt(await ide.newSession(), 'go').catch((thrown: unknown) => thrown);
    expect(await failed).toMatchObject({ code: -32603, data: { code: 'internal' } });
    expect(JSON.stringify(await failed)).not.toContain('password');
    expect(gateway.logged.map(({ message }) => message)).toEqual(['an attempt failed']);
  });

  it('/approve N asks for all at once, and goes on by the answers', { tags: 'approval-completes-the-prompt' }, () =>
    withIde({ onPermission: allowing }, async (ide, session) => {
      expect(await ide.prompt(session, '/approve 3')).toBe('end_turn');
      expect(ide.permissions).toHaveLength(3);
      for (const { options } of ide.permissions) {
        expect(options.map(({ kind }) => kind)).toEqual(['allow_once', 'reject_once']);
      }
      expect(ide.textOf(session)).toContain('Message 3 was sent.');
      expect([...ide.callsOf(session).values()].map(({ status }) => status)).toEqual(Array(3).fill('completed'));
    }),
  );

  it('/count counts once', () =>
    withIde({ onPermission: allowing }, async (ide, session) => {
      await ide.prompt(session, '/count');
      expect(ide.textOf(session)).toContain('the counter stands at 1');
    }));

  it('/form is a form where the client has them', () =>
    withIde(
      {
        capabilities: { elicitation: { form: {} } },
        onElicitation: () => ({ action: 'accept', content: { name: 'Ann', age: 41 } }),
      },
      async (ide, session) => {
        expect(await ide.prompt(session, '/form')).toBe('end_turn');
        expect(ide.elicitations).toMatchObject([{ mode: 'form', sessionId: session, message: 'Who are you?' }]);
        expect(ide.textOf(session)).toBe('Hello Ann, you are 41 years old.');
      },
    ));

  it('reads and writes the client’s files', async () => {
    const files = new Map([['/home/ann/notes.txt', 'hello']]);
    await withIde(
      { files, capabilities: { fs: { readTextFile: true, writeTextFile: true } } },
      async (ide, session) => {
        await ide.prompt(session, '/read notes.txt');
        await ide.prompt(session, '/write notes.txt good bye');
        expect(ide.textOf(session)).toBe('/home/ann/notes.txt has 5 characters.I wrote /home/ann/notes.txt.');
        expect(files.get('/home/ann/notes.txt')).toBe('good bye');
        const calls = [...ide.callsOf(session).values()];
        expect(calls).toMatchObject([
          { kind: 'read', locations: [{ path: '/home/ann/notes.txt' }] },
          { kind: 'edit', content: [{ type: 'diff', path: '/home/ann/notes.txt', newText: 'good bye' }] },
        ]);
      },
    );
  });
});

describe('a question to somebody whose client cannot ask it', () => {
  it(
    'ends the turn with the question, and is answered in words with the next',
    { tags: 'question-an-editor-cannot-show' },
    () =>
      withIde({}, async (ide, session) => {
        expect(await ide.prompt(session, '/form')).toBe('end_turn');
        expect(ide.textOf(session)).toMatch(/^Who are you\?\n/);
        expect(await ide.prompt(session, 'Ann')).toBe('end_turn');
        expect(ide.textOf(session)).not.toContain('Hello');
        expect(await ide.prompt(session, '{"name":"Ann","age":41}')).toBe('end_turn');
        expect(ide.textOf(session)).toMatch(/Hello Ann, you are 41 years old\.$/);
      }),
  );

  it('is answered from elsewhere, and the session shows how it went on', () =>
    withIde({}, async (ide, session, { mailbox }) => {
      await ide.prompt(session, '/form');
      const { items } = await mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
      const answer = { type: 'value', value: { name: 'Ann', age: 41 } } as const;
      const person = { ...ada, door: 'control', origin: 'user' } as const;
      await mailbox.tickets.decide(person, items[0]?.id ?? '', { answer });
      await ide.seen('the greeting', () => ide.textOf(session).includes('Hello Ann'));
    }));
});

describe('a page elsewhere', () => {
  const signingIn = scripted(async function* (_, context) {
    const subject = 'https://example.test/sign-in';
    const [decision] = await context.ask('account', { kind: 'sign-in', text: 'Sign in', subject });
    yield* say(context, 'a', `it was ${decision?.how}`);
  });
  const person = { ...ada, door: 'control', origin: 'user' } as const;

  it('is opened by its client, which is told when it is over', async () => {
    await using gateway = await openAcp(signingIn);
    await using ide = await Ide.open(gateway.stream(), {
      capabilities: { elicitation: { url: {} } },
      onElicitation: () => ({ action: 'accept' }),
    });
    const session = await ide.newSession();
    const ended = ide.prompt(session, 'go');
    await ide.seen('the page', () => ide.elicitations.length === 1);
    expect(ide.elicitations[0]).toMatchObject({ mode: 'url', url: 'https://example.test/sign-in' });
    const { items } = await gateway.mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
    await gateway.mailbox.tickets.decide(person, items[0]?.id ?? '', { answer: { type: 'dismiss' } });
    expect(await ended).toBe('end_turn');
    expect(ide.completed).toEqual([items[0]?.id]);
    expect(ide.textOf(session)).toBe('it was dismissed');
  });
});

describe('a permission', () => {
  it('that is dismissed is neither approved nor denied', () =>
    withIde({ onPermission: () => ({ outcome: { outcome: 'cancelled' } }) }, async (ide, session) => {
      expect(await ide.prompt(session, '/approve')).toBe('end_turn');
      expect(ide.textOf(session)).toContain('Message 1 was not sent');
    }));

  it('that another door answers at the same moment is what that door said', async () => {
    await using gateway = await openAcp();
    const { tickets } = gateway.mailbox;
    await using ide = await Ide.open(gateway.stream(), {
      onPermission: async (request) => {
        const { items } = await tickets.list(ada, { state: 'open' }, { limit: 1 });
        const person = { ...ada, door: 'control', origin: 'user' } as const;
        await tickets.decide(person, items[0]?.id ?? '', { answer: { type: 'deny' } });
        return allowing(request);
      },
    });
    const session = await ide.newSession();
    expect(await ide.prompt(session, '/approve')).toBe('end_turn');
    expect(ide.textOf(session)).toContain('Message 1 was not sent');
    expect(gateway.logged.filter(({ message }) => message.includes('could not be asked'))).toEqual([]);
  });

  it('that another door answers is withdrawn', async () => {
    const withdrawn = deferred();
    const onPermission: NonNullable<Parameters<typeof Ide.open>[1]>['onPermission'] = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          withdrawn.resolve();
          reject(signal.reason as Error);
        });
      });
    await withIde({ onPermission }, async (ide, session, { mailbox }) => {
      const ended = ide.prompt(session, '/approve');
      await ide.seen('the permission', () => ide.permissions.length === 1);
      const { items } = await mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
      const person = { ...ada, door: 'control', origin: 'user' } as const;
      await mailbox.tickets.decide(person, items[0]?.id ?? '', { answer: { type: 'approve' } });
      expect(await ended).toBe('end_turn');
      await withdrawn.promise;
      expect(ide.textOf(session)).toContain('Message 1 was sent.');
    });
  });

  it('stays open when its client leaves, and is asked again of who comes back', async () => {
    await using gateway = await openAcp();
    let session = '';
    {
      await using ide = await Ide.open(gateway.stream());
      session = await ide.newSession();
      void ide.prompt(session, '/approve').catch(() => undefined);
      await ide.seen('the permission', () => ide.permissions.length === 1);
    }
    await using ide = await Ide.open(gateway.stream(), { onPermission: allowing });
    await ide.request('session/load', { sessionId: session, cwd: '/home/ann', mcpServers: [] });
    await ide.seen('the end', () => ide.textOf(session).includes('Message 1 was sent.'));
    expect(ide.permissions).toHaveLength(1);
  });

  it('that is about no call is shown as one to whoever comes while it is open, and ends once', async () => {
    const asking = scripted(async function* (_, context) {
      const [decision] = await context.ask('may', { kind: 'approval', text: 'May I?' });
      yield* say(context, 'a', `it was ${decision?.how}`);
    });
    await using gateway = await openAcp(asking);
    let session = '';
    {
      await using ide = await Ide.open(gateway.stream());
      session = await ide.newSession();
      void ide.prompt(session, 'go').catch(() => undefined);
      await ide.seen('the permission', () => ide.permissions.length === 1);
    }
    const answered = deferred();
    await using ide = await Ide.open(gateway.stream(), {
      onPermission: async (request) => {
        await answered.promise;
        return allowing(request);
      },
    });
    await ide.request('session/load', { sessionId: session, cwd: '/home/ann', mcpServers: [] });
    const shown = { sessionUpdate: 'tool_call', title: 'May I?', status: 'pending' };
    const isOfCall = (update: acp.SessionUpdate): boolean => 'toolCallId' in update;
    expect(ide.of(session).filter(isOfCall)).toMatchObject([shown]);
    answered.resolve();
    await ide.seen('the end', () => ide.textOf(session).includes('it was answered'));
    const ended = { sessionUpdate: 'tool_call_update', status: 'completed' };
    expect(ide.of(session).filter(isOfCall)).toMatchObject([shown, ended]);
    expect(ide.permissions[0]?.toolCall.toolCallId).toBe([...ide.callsOf(session).keys()][0]);

    await using late = await Ide.open(gateway.stream());
    await late.request('session/load', { sessionId: session, cwd: '/home/ann', mcpServers: [] });
    expect(late.textOf(session)).toContain('it was answered');
    expect(late.of(session).filter(isOfCall)).toEqual([]);
  });

  it.each([-32603, -32800])(
    'that its client answers with the error %i is neither approved nor denied',
    async (code) => {
      let tries = 0;
      const onPermission: NonNullable<Parameters<typeof Ide.open>[1]>['onPermission'] = (request) => {
        if (tries++ === 0) throw new RequestError(code, 'not now');
        return allowing(request);
      };
      await withIde({ onPermission }, async (ide, session, { mailbox }) => {
        const ended = ide.prompt(session, '/approve');
        await ide.seen('the answer', () => tries === 1);
        // A question that was refused is put in words, and ends the turn; one that was given back waits.
        if (code === -32603) expect(await ended).toBe('end_turn');
        const { items } = await mailbox.tickets.list(ada, { state: 'open' }, { limit: 2 });
        expect(items).toHaveLength(1);
        if (code === -32603) return;
        const next = ide.prompt(session, 'hello');
        expect(await Promise.all([ended, next])).toEqual(['end_turn', 'end_turn']);
        expect(ide.textOf(session)).toContain('Message 1 was sent.');
      });
    },
  );

  it('of another door’s run is not dismissed by a cancel', async () => {
    const onPermission: NonNullable<Parameters<typeof Ide.open>[1]>['onPermission'] = (_, signal) =>
      new Promise((resolve) => {
        const cancelled = (): void => {
          resolve({ outcome: { outcome: 'cancelled' } });
        };
        cancels.push(cancelled);
        signal.addEventListener('abort', cancelled);
      });
    const cancels: (() => void)[] = [];
    await withIde({ onPermission }, async (ide, session, { mailbox, submit }) => {
      const messages = [{ role: 'user' as const, parts: [{ type: 'text' as const, text: '/approve' }] }];
      await submit('theirs', { threadId: session, agentId: 'demo', messages });
      await ide.seen('the permission', () => ide.permissions.length === 1);
      const ended = ide.prompt(session, 'mine');
      await ide.cancel(session);
      for (const cancelled of cancels) cancelled();
      expect(await ended).toBe('cancelled');
      await ide.prompt('none', 'a round trip').catch(() => undefined);
      expect((await mailbox.tickets.list(ada, { state: 'open' }, { limit: 2 })).items).toHaveLength(1);
    });
  });
});

describe('cancel', () => {
  const cases = [
    ['in the middle of an answer', '/stream 1000000 5', (ide: Ide, session: string) => ide.of(session).length > 3],
    ['with an open permission', '/approve', (ide: Ide) => ide.permissions.length === 1],
    ['in a slow step', '/steer 20', (ide: Ide, session: string) => ide.textOf(session) !== ''],
  ] as const;

  it.each(cases)('%s ends the prompt as cancelled, with nothing after', async (_, text, hasBegun) => {
    await withIde({}, async (ide, session) => {
      const ended = ide.prompt(session, text);
      await ide.seen('its beginning', () => hasBegun(ide, session));
      await ide.cancel(session);
      expect(await ended).toBe('cancelled');
      const told = ide.of(session).length;
      expect(await ide.prompt(session, 'hello')).toBe('end_turn');
      expect(ide.textOf(session)).toMatch(/You said: “hello”$/);
      expect(ide.of(session).slice(0, told)).toHaveLength(told);
    });
  });

  it('before the first word ends the prompt as cancelled', () =>
    withIde({}, async (ide, session) => {
      const ended = ide.prompt(session, '/stream 1000000 5');
      await ide.cancel(session);
      expect(await ended).toBe('cancelled');
    }));

  it('reaches what is queued too, each prompt answered for itself', () =>
    withIde({}, async (ide, session) => {
      const ends = [ide.prompt(session, '/stream 1000000 5'), ide.prompt(session, 'two'), ide.prompt(session, 'three')];
      await ide.seen('its beginning', () => ide.of(session).length > 3);
      await ide.cancel(session);
      expect(await Promise.all(ends)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    }));

  it('of one request reaches that prompt alone', () =>
    withIde({}, async (ide, session) => {
      const one = new AbortController();
      const first = ide.prompt(session, '/stream 1000000 5', one.signal);
      const second = ide.prompt(session, 'two');
      await ide.seen('its beginning', () => ide.of(session).length > 3);
      one.abort();
      expect(await first).toBe('cancelled');
      expect(await second).toBe('end_turn');
      expect(ide.textOf(session)).toMatch(/You said: “two”$/);
    }));

  it('of an idle session changes nothing', () =>
    withIde({}, async (ide, session) => {
      await ide.cancel(session);
      expect(await ide.prompt(session, 'hello')).toBe('end_turn');
    }));

  it('of a prompt behind another door’s run leaves that run alone', () =>
    withIde({}, async (ide, session, { submit }) => {
      const { runId } = await submit('busy', {
        threadId: session,
        agentId: 'demo',
        messages: [{ role: 'user', parts: [{ type: 'text', text: '/stream 200 5' }] }],
      });
      await ide.seen('the other’s words', () => ide.textOf(session) !== '');
      const ended = ide.prompt(session, 'mine');
      await nextTick();
      await ide.cancel(session);
      expect(await ended).toBe('cancelled');
      await ide.seen('the end of the other’s run', () => ide.textOf(session).endsWith('200 '));
      expect(ide.textOf(session, 'user_message_chunk')).toBe('/stream 200 5');
      expect(runId).toBeDefined();
    }));
});

describe('prompts of one session', () => {
  it('are answered in order, each at its own end', () =>
    withIde({}, async (ide, session) => {
      const ended: string[] = [];
      const prompts = ['one', 'two', 'three'].map(async (text) => {
        await ide.prompt(session, text);
        ended.push(`${text} after ${ide.textOf(session)}`);
      });
      await Promise.all(prompts);
      expect(ended.map((line) => line.split(' ')[0])).toEqual(['one', 'two', 'three']);
      expect(ended[0]).toMatch(/“one”$/);
    }));

  it('of several sessions on one connection hold up no other', () =>
    withIde({}, async (ide, session) => {
      const slow = ide.prompt(session, '/stream 1000000 5');
      const sessions = await Promise.all(Array.from({ length: 5 }, () => ide.newSession()));
      expect(await Promise.all(sessions.map((id) => ide.prompt(id, 'hello')))).toEqual(Array(5).fill('end_turn'));
      await ide.cancel(session);
      expect(await slow).toBe('cancelled');
    }));

  it('hold all that is advertised, and nothing else', () =>
    withIde({}, async (ide, session) => {
      const link = { type: 'resource_link', uri: 'file:///a', name: 'a' } as const;
      const image = { type: 'image', data: 'AAAA', mimeType: 'image/png' } as const;
      const prompt = [{ type: 'text', text: 'see' } as const, link];
      expect(await ide.request('session/prompt', { sessionId: session, prompt })).toEqual({ stopReason: 'end_turn' });
      await expect(ide.request('session/prompt', { sessionId: session, prompt: [image] })).rejects.toMatchObject({
        code: -32602,
        message: expect.stringContaining('prompt[0]'),
      });
    }));
});

describe('words for a running turn', () => {
  interface Steered {
    readonly outcome: string;
  }
  const steer = (ide: Ide, sessionId: string, text: string, meta?: object): Promise<Steered> =>
    ide.request('_session/steering', { sessionId, prompt: [{ type: 'text', text }], ...meta }) as Promise<never>;

  it('are taken by it', () =>
    withIde({}, async (ide, session) => {
      const ended = ide.prompt(session, '/steer 20');
      await ide.seen('its beginning', () => ide.textOf(session) !== '');
      expect(await steer(ide, session, 'to the left')).toEqual({ outcome: 'injected' });
      await ide.seen('that it took them', () => ide.textOf(session).includes('to the left'));
      await ide.cancel(session);
      expect(await ended).toBe('cancelled');
    }));

  it('begin a turn where none runs, unless that is not wanted', () =>
    withIde({}, async (ide, session) => {
      const idleBehavior = { _meta: { steering: { idleBehavior: 'promptRequired' } } };
      expect(await steer(ide, session, 'hello', idleBehavior)).toEqual({
        outcome: 'promptRequired',
        reason: 'noRunningTurn',
      });
      expect(await steer(ide, session, 'hello')).toEqual({ outcome: 'startedNewTurn' });
      await ide.seen('the answer', () => ide.textOf(session) === 'You said: “hello”');
    }));
});

describe('a session', () => {
  const home = { cwd: '/home/ann', mcpServers: [] };

  it('tells its client nothing before it is answered, and then what may be said', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const { sessionId, modes, configOptions } = await ide.open(home);
    expect(modes).toMatchObject({ currentModeId: 'calm', availableModes: [{ id: 'calm' }, { id: 'loud' }] });
    expect(configOptions?.map(({ id, type }) => `${id} ${type}`)).toEqual([
      'mode select',
      'marks select',
      'count select',
    ]);
    await ide.seen('the commands', () =>
      ide.of(sessionId).some((update) => update.sessionUpdate === 'available_commands_update'),
    );
  });

  it('is loaded with all that was said, and goes on', async () => {
    await using gateway = await openAcp();
    let sessionId = '';
    {
      await using ide = await Ide.open(gateway.stream(), { onPermission: allowing });
      sessionId = await ide.newSession();
      await ide.prompt(sessionId, '/tool');
      await ide.prompt(sessionId, '/think');
    }
    await using ide = await Ide.open(gateway.stream());
    await ide.request('session/load', { sessionId, ...home });
    await nextTick();
    expect(ide.textOf(sessionId, 'user_message_chunk')).toBe('/tool/think');
    expect(ide.textOf(sessionId)).toBe('19 and 23 are 42.Six times seven is 42.');
    expect([...ide.callsOf(sessionId).values()]).toMatchObject([{ status: 'completed', title: 'add' }]);
    await ide.prompt(sessionId, 'hello');
    expect(ide.textOf(sessionId)).toMatch(/You said: “hello”$/);
  });

  it('is resumed with nothing of what was said', async () => {
    await using gateway = await openAcp();
    await using first = await Ide.open(gateway.stream());
    const sessionId = await first.newSession();
    await first.prompt(sessionId, 'hello');
    await using ide = await Ide.open(gateway.stream());
    await ide.request('session/resume', { sessionId, ...home });
    await nextTick();
    expect(ide.textOf(sessionId)).toBe('');
    await first.prompt(sessionId, 'again');
    await ide.seen('the other’s turn', () => ide.textOf(sessionId) === 'You said: “again”');
    expect(ide.textOf(sessionId, 'user_message_chunk')).toBe('again');
  });

  it('is loaded in the middle of a run, which goes on live and can be cancelled', async () => {
    await using gateway = await openAcp();
    await using first = await Ide.open(gateway.stream());
    const sessionId = await first.newSession();
    const ended = first.prompt(sessionId, '/stream 1000000 5');
    await first.seen('its beginning', () => first.of(sessionId).length > 5);
    await using ide = await Ide.open(gateway.stream());
    await ide.request('session/load', { sessionId, ...home });
    await ide.seen('that it goes on', () => ide.textOf(sessionId).split(' ').length > 20);
    expect(ide.textOf(sessionId)).toMatch(/^1 2 3 4 5 /);
    const numbers = ide.textOf(sessionId).trim().split(' ').map(Number);
    expect(numbers).toEqual(numbers.map((__, index) => index + 1));
    await ide.cancel(sessionId);
    expect(await ended).toBe('cancelled');
  });

  it('survives its client', async () => {
    await using gateway = await openAcp();
    let sessionId = '';
    {
      await using ide = await Ide.open(gateway.stream());
      sessionId = await ide.newSession();
      void ide.prompt(sessionId, '/stream 50 5').catch(() => undefined);
      await ide.seen('its beginning', () => ide.of(sessionId).length > 3);
    }
    await gateway.seen('run.finished', 1, sessionId);
    await using ide = await Ide.open(gateway.stream());
    await ide.request('session/load', { sessionId, ...home });
    await nextTick();
    expect(ide.textOf(sessionId)).toMatch(/^1 2 3 .* 50 $/);
  });

  it('is found in some page of the list, once', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const made = [];
    for (let count = 0; count < 60; count++) made.push(await ide.newSession());
    const listed: string[] = [];
    let cursor: string | null | undefined;
    do {
      const page: acp.ListSessionsResponse = await ide.agent.request('session/list', cursor ? { cursor } : {});
      listed.push(...page.sessions.map(({ sessionId }) => sessionId));
      cursor = page.nextCursor;
      expect(page.sessions.length).toBeLessThanOrEqual(50);
    } while (cursor);
    expect(listed.toSorted()).toEqual(made.toSorted());
    const first = await ide.agent.request('session/list', { cursor: '' });
    expect(first.sessions.map(({ sessionId }) => sessionId)).toEqual(listed.slice(0, 50));
  });

  it('is listed where it is at home, and one of another door wherever it is looked for', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    const here = await ide.newSession('/home/ann');
    await ide.newSession('/srv/');
    await gateway.submit('elsewhere', { threadId: 'from-the-web', agentId: 'demo' });
    const { sessions } = await ide.agent.request('session/list', { cwd: '/home/ann/' });
    expect(sessions.map(({ sessionId, cwd }) => `${sessionId} ${cwd}`)).toEqual([
      'from-the-web /home/ann',
      `${here} /home/ann`,
    ]);
    await ide.request('session/load', { sessionId: 'from-the-web', cwd: '/srv', mcpServers: [] });
    expect((await ide.agent.request('session/list', { cwd: '/home/ann' })).sessions).toHaveLength(1);
    expect((await ide.agent.request('session/list', {})).sessions).toHaveLength(3);
  });

  it(
    'is not opened away from home, and not at all for strangers',
    { tags: 'session-of-an-editor-is-checked' },
    async () => {
      await using gateway = await openAcp();
      await using ide = await Ide.open(gateway.stream());
      const sessionId = await ide.newSession();
      await expect(ide.request('session/load', { sessionId, cwd: '/srv', mcpServers: [] })).rejects.toMatchObject({
        code: -32602,
        data: { path: 'cwd' },
      });
      await expect(ide.request('session/load', { sessionId: 'nobody’s', ...home })).rejects.toMatchObject({
        code: -32002,
      });
      await expect(ide.prompt('nobody’s', 'hello')).rejects.toMatchObject({
        code: -32002,
        data: { code: 'not-found', sessionId: 'nobody’s' },
      });
    },
  );

  it('is closed with its work, and deleted twice', () =>
    withIde({}, async (ide, session, { mailbox }) => {
      const ended = ide.prompt(session, '/stream 1000000 5');
      await ide.seen('its beginning', () => ide.of(session).length > 3);
      expect(await ide.request('session/close', { sessionId: session })).toEqual({});
      expect(await ended).toBe('cancelled');
      await expect(ide.prompt(session, 'hello')).rejects.toMatchObject({ code: -32002 });
      expect(await ide.request('session/delete', { sessionId: session })).toEqual({});
      expect(await ide.request('session/delete', { sessionId: session })).toEqual({});
      expect(await mailbox.threads.find(ada, session)).toBeUndefined();
    }));

  it('has modes and options that agents heed and every client is shown', async () => {
    await using gateway = await openAcp();
    await using ide = await Ide.open(gateway.stream());
    await using other = await Ide.open(gateway.stream(), {
      capabilities: { session: { configOptions: { boolean: {} } } },
    });
    const sessionId = await ide.newSession();
    await other.request('session/load', { sessionId, ...home });
    await ide.request('session/set_mode', { sessionId, modeId: 'loud' });
    const set = { sessionId, configId: 'count', value: 'on' };
    const { configOptions }: acp.SetSessionConfigOptionResponse = await ide.request('session/set_config_option', set);
    expect(configOptions.map(({ id, currentValue }) => [id, currentValue])).toEqual([
      ['mode', 'loud'],
      ['marks', 'curly'],
      ['count', 'on'],
    ]);
    await ide.prompt(sessionId, 'two words');
    expect(ide.textOf(sessionId)).toBe('You said: “TWO WORDS” (2 words)');
    await other.seen('the change', () =>
      other.of(sessionId).some((update) => update.sessionUpdate === 'current_mode_update'),
    );
    const told = other.of(sessionId).findLast((update) => update.sessionUpdate === 'config_option_update');
    expect(told).toMatchObject({
      configOptions: [{ currentValue: 'loud' }, {}, { type: 'boolean', currentValue: true }],
    });
    await expect(ide.request('session/set_mode', { sessionId, modeId: 'wild' })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('calm, loud'),
    });
  });
});

describe('a prompt’s trace', () => {
  it('is its client’s', async () => {
    const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' };
    await using gateway = await openAcp();
    const seen: unknown[] = [];
    const submit = gateway.mailbox.submit.bind(gateway.mailbox);
    gateway.mailbox.submit = (who, submission) => {
      seen.push(submission.trace);
      return submit(who, submission);
    };
    await using ide = await Ide.open(gateway.stream());
    const sessionId = await ide.newSession();
    const prompt = [{ type: 'text' as const, text: 'go' }];
    await ide.request('session/prompt', { sessionId, prompt, _meta: { ...trace, else: 1 } });
    await ide.request('session/prompt', { sessionId, prompt, _meta: 'nonsense' } as never);
    expect(seen).toEqual([trace, undefined]);
  });
});

describe('MCP servers that a client brings', () => {
  const stdio = { name: 'files', command: 'mcp-files', args: [], env: [{ name: 'KEY', value: 'secret' }] };

  it('reach the agent, and nothing is kept of them', () =>
    withIde({}, async (ide, _, { store }) => {
      const { sessionId } = await ide.open({ cwd: '/', mcpServers: [stdio] });
      await ide.prompt(sessionId, '/where');
      expect(ide.textOf(sessionId)).toContain('I was brought the MCP servers files.');
      const key = { scope: 'local', threadId: sessionId };
      expect(JSON.stringify(await store.findRecord(key, 'thread', ''))).not.toContain('secret');
    }));

  it.each([
    [
      { type: 'acp', name: 'files', id: '1' },
      'mcpServers[1].type: the MCP server "files" has an unknown transport "acp"',
    ],
    [{ name: 'files', args: [], env: [] }, 'mcpServers[1].command: Invalid input: expected string, received undefined'],
    [{ type: 'http', name: 'files', url: 1, headers: [] }, 'mcpServers[1].url: Invalid input: expected string'],
    [null, 'mcpServers[1]: Invalid input: expected object, received null'],
  ])('that are none are refused with what is wrong: %j', (server, why) =>
    withIde({}, async (ide) => {
      const opened = ide.request('session/new', { cwd: '/', mcpServers: [stdio, server] } as never);
      await expect(opened).rejects.toMatchObject({ code: -32602, message: expect.stringContaining(why) as string });
    }),
  );

  it('are refused by name where the agent uses none', async () => {
    await using gateway = await openAcp(
      scripted(async function* (_, context) {
        yield* say(context, 'a', 'hello');
      }),
    );
    await using ide = await Ide.open(gateway.stream());
    await expect(ide.request('session/new', { cwd: '/', mcpServers: [stdio] })).rejects.toMatchObject({
      code: -32602,
      message: expect.stringContaining('"files" (stdio)'),
    });
  });
});

describe('a connection', () => {
  it('answers the version it speaks, whatever is asked for', async () => {
    await using gateway = await openAcp();
    for (const protocolVersion of [1, 2, 65_535]) {
      await using ide = new Ide(gateway.stream());
      const welcome = await ide.agent.request('initialize', { protocolVersion });
      expect(welcome).toMatchObject({ protocolVersion: 1, agentInfo: { name: 'anyport' }, authMethods: [] });
    }
  });

  it('takes nothing before initialize, and initialize once', async () => {
    await using gateway = await openAcp();
    await using ide = new Ide(gateway.stream());
    await expect(ide.newSession()).rejects.toMatchObject({ code: -32600 });
    await expect(ide.request('initialize', { protocolVersion: 'one' } as never)).rejects.toMatchObject({
      code: -32602,
    });
    await ide.agent.request('initialize', { protocolVersion: 1 });
    await expect(ide.agent.request('initialize', { protocolVersion: 1 })).rejects.toMatchObject({ code: -32600 });
  });

  it.each([
    ['session/new', { cwd: 'relative', mcpServers: [] }, 'cwd'],
    ['session/new', { cwd: '/' }, 'mcpServers'],
    ['session/new', { cwd: '/', mcpServers: [{ name: 'x' }] }, 'mcpServers[0]'],
    ['session/prompt', { sessionId: 's', prompt: 'hello' }, 'prompt'],
    ['session/set_mode', { sessionId: 's' }, 'modeId'],
  ])('says what is wrong with %s', { tags: 'session-of-an-editor-is-checked' }, async (method, params, path) => {
    await withIde({}, async (ide) => {
      const refused = await ide.agent.request(method, params).catch((thrown: unknown) => thrown);
      expect(refused).toMatchObject({ code: -32602, data: { path: expect.stringContaining(path) } });
    });
  });

  it(
    'answers what it does not know, and ignores what wants no answer',
    { tags: 'session-of-an-editor-is-checked' },
    () =>
      withIde({}, async (ide, session) => {
        for (const method of ['session/fork', '_vendor/thing', 'constructor']) {
          await ide.agent.notify(method, {});
          await expect(ide.agent.request(method, {})).rejects.toMatchObject({ code: -32601 });
        }
        expect(await ide.prompt(session, 'hello')).toBe('end_turn');
      }),
  );
});
