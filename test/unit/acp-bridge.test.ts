import { setImmediate as nextTick } from 'node:timers/promises';
import type * as acp from '@agentclientprotocol/sdk';
import { RequestError } from '@agentclientprotocol/sdk';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { once } from 'node:events';
import { MemoryCounter } from '../../src/agents/demo/counter.ts';
import { DemoAgent } from '../../src/agents/demo/demo-agent.ts';
import { systemClock } from '../../src/clock.ts';
import type { Agent } from '../../src/agents/agent.ts';
import { deferred } from '../../src/deferred.ts';
import { Fault } from '../../src/fault.ts';
import { Ide, type IdeOptions } from '../support/acp-client.ts';
import { type AcpGateway, openAcp } from '../support/acp-gateway.ts';
import { bridgeOver, type BridgedIde, type Carried, Link } from '../support/acp-link.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { say, scripted } from '../support/mailbox-fixture.ts';

const ada = { scope: 'local', actor: 'ada' };
const person = { ...ada, door: 'control', origin: 'user' } as const;
const home = { cwd: '/home/ann', mcpServers: [] };

interface Bridged extends BridgedIde {
  readonly ide: Ide;
  readonly link: Link;
  readonly gateway: AcpGateway;
  readonly session: string;
}

async function withBridge(options: IdeOptions, use: (bridged: Bridged) => Promise<void>, agent?: Agent): Promise<void> {
  await using gateway = await openAcp(agent);
  const link = new Link((channel) => void gateway.serve(channel));
  const bridged = bridgeOver(link);
  {
    await using ide = await Ide.open(bridged.stream, options);
    await use({ ...bridged, ide, link, gateway, session: await ide.newSession() });
  }
  bridged.leave();
  await bridged.bridge.whenClosed;
}

const selected = ({ options }: acp.RequestPermissionRequest, index = 0): acp.RequestPermissionResponse => ({
  outcome: { outcome: 'selected', optionId: options[index]?.optionId ?? '' },
});

/** Cuts the link at the n-th message that is carried from now on. */
function cutAt(link: Link, count: number, how: 'cut' | 'cut after' = 'cut'): void {
  let left = count;
  link.fate = () => (left-- === 0 ? how : 'carry');
}

const isAnswer = ({ to, message }: Carried): boolean => to === 'bridge' && message.method === undefined;

describe('an answer', () => {
  const speaking = scripted(async function* (_, context) {
    yield* say(context, 'a', 'one ');
    const id = context.id('b');
    yield { type: 'text.started', id, role: 'assistant' };
    for (const delta of ['two ', 'three ', 'four']) {
      yield { type: 'text.delta', id, delta };
      await nextTick();
    }
    yield { type: 'text.ended', id };
  });

  it.each(['cut', 'cut after'] as const)(
    'that the link is %s at any message of is shown whole and once',
    async (how) => {
      for (let count = 0, wasCut = true; wasCut; count++) {
        await withBridge(
          {},
          async ({ ide, link, session }) => {
            await nextTick();
            cutAt(link, count, how);
            const ended = ide.prompt(session, 'go');
            expect(await ended).toBe('end_turn');
            expect(`${count}: ${ide.textOf(session)}`).toBe(`${count}: one two three four`);
            wasCut = link.dials > 1;
          },
          speaking,
        );
        expect(count).toBeLessThan(50);
      }
    },
  );
});

describe('requests', () => {
  it('made while the link is down are made once it is there, each once and in order', () =>
    withBridge({}, async ({ ide, link, session, gateway }) => {
      link.goDown();
      const ends = ['one', 'two', 'three'].map((text) => ide.prompt(session, text));
      await ide.seen('a try', () => link.dials > 2);
      link.comeBack();
      expect(await Promise.all(ends)).toEqual(['end_turn', 'end_turn', 'end_turn']);
      expect(ide.textOf(session)).toBe('You said: “one”You said: “two”You said: “three”');
      const taken = (await gateway.events(session)).filter(({ type }) => type === 'run.started');
      expect(taken).toHaveLength(3);
    }));

  it('whose answers are lost do their work once', async () => {
    await withBridge({}, async ({ ide, link, gateway }) => {
      let isLost = false;
      link.fate = (next) => {
        if (isLost || !isAnswer(next)) return 'carry';
        isLost = true;
        return 'cut';
      };
      const id = await ide.newSession();
      expect(isLost).toBe(true);
      const { items } = await gateway.mailbox.threads.list(ada, {}, { limit: 10 });
      expect(items).toHaveLength(2);
      expect(items.map((thread) => thread.id)).toContain(id);
      isLost = false;
      expect(await ide.prompt(id, 'hello')).toBe('end_turn');
      expect(ide.textOf(id)).toBe('You said: “hello”');
    });
  });

  it('before the gateway was ever there wait for it', async () => {
    await using gateway = await openAcp();
    const link = new Link((channel) => void gateway.serve(channel));
    link.goDown();
    const bridged = bridgeOver(link);
    const opening = Ide.open(bridged.stream);
    await gatewayTried(link);
    link.comeBack();
    await using ide = await opening;
    expect(await ide.prompt(await ide.newSession(), 'hello')).toBe('end_turn');
  });
});

function textIn(content: unknown): string {
  return typeof content === 'object' && content !== null && 'text' in content ? String(content.text) : '';
}

async function gatewayTried(link: Link, tries = 2): Promise<void> {
  while (link.dials < tries) await nextTick();
}

describe('a session that is loaded', () => {
  it('shows everything once, wherever the link is cut', async () => {
    for (let count = 0, wasCut = true; wasCut; count++) {
      await using gateway = await openAcp();
      await using first = await Ide.open(gateway.stream());
      const session = await first.newSession();
      for (const text of ['/tool', '/think', 'hello']) await first.prompt(session, text);
      const link = new Link((channel) => void gateway.serve(channel));
      await using ide = await Ide.open(bridgeOver(link).stream);
      cutAt(link, count);
      await ide.request('session/load', { sessionId: session, ...home });
      expect(await ide.prompt(session, 'bye')).toBe('end_turn');
      const told = [ide.textOf(session, 'user_message_chunk'), ide.textOf(session)];
      expect([count, ...told]).toEqual([
        count,
        '/tool/thinkhello',
        '19 and 23 are 42.Six times seven is 42.You said: “hello”You said: “bye”',
      ]);
      expect(ide.of(session).filter((update) => update.sessionUpdate === 'tool_call')).toHaveLength(1);
      wasCut = link.dials > 1;
      expect(count).toBeLessThan(60);
    }
  });

  it('while it is open already and its agent speaks shows everything once all the same', async () => {
    for (let count = 0; count < 12; count++) {
      const goOn = deferred();
      const speaking = scripted(async function* ({ messages }, context) {
        if (messages.at(-1)?.parts[0]?.type === 'text') yield* say(context, 'a', 'begun ');
        const id = context.id('b');
        yield { type: 'text.started', id, role: 'assistant' };
        yield { type: 'text.delta', id, delta: 'half ' };
        await goOn.promise;
        yield { type: 'text.delta', id, delta: 'whole' };
        yield { type: 'text.ended', id };
      });
      await withBridge(
        {},
        async ({ ide, link, session }) => {
          const ended = ide.prompt(session, 'go');
          await ide.seen('its half', () => ide.textOf(session).endsWith('half '));
          const before = ide.of(session).length;
          let left = count;
          link.fate = () => {
            if (left-- !== 0) return 'carry';
            goOn.resolve();
            return 'cut';
          };
          await ide.request('session/load', { sessionId: session, ...home });
          goOn.resolve();
          expect(await ended).toBe('end_turn');
          const shown = (): string =>
            ide
              .of(session)
              .slice(before)
              .map((update) => ('content' in update && update.content !== null ? textIn(update.content) : ''))
              .join('');
          await ide.seen('its end', () => shown().endsWith('whole'));
          // What was told before the first of the replay is the open session's own.
          expect([count, shown().replace(/^(whole)?go/, '')]).toEqual([count, 'begun half whole']);
        },
        speaking,
      );
    }
  });
});

describe('a cancel while the link is down', () => {
  const running = async ({ ide, session }: Bridged): Promise<{ readonly ended: Promise<acp.StopReason> }> => {
    const ended = ide.prompt(session, '/stream 1000000 5');
    await ide.seen('its beginning', () => ide.textOf(session) !== '');
    return { ended };
  };

  it('of a session is carried out once it is there, and leaves what is asked after it alone', () =>
    withBridge({}, async (bridged) => {
      const { ide, link, session } = bridged;
      const { ended } = await running(bridged);
      link.goDown();
      await ide.cancel(session);
      const next = ide.prompt(session, 'hello');
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      expect(await ended).toBe('cancelled');
      expect(await next).toBe('end_turn');
      expect(ide.textOf(session)).toMatch(/You said: “hello”$/);
    }));

  it('of one request is carried out for that one', () =>
    withBridge({}, async ({ ide, link, session }) => {
      const one = new AbortController();
      const first = ide.prompt(session, '/stream 1000000 5', one.signal);
      const second = ide.prompt(session, 'two');
      await ide.seen('its beginning', () => ide.textOf(session) !== '');
      link.goDown();
      one.abort();
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      expect(await Promise.all([first, second])).toEqual(['cancelled', 'end_turn']);
    }));

  it('of one whose agent takes its time is answered as the gateway answers it', async () => {
    const stopped = deferred();
    const slow = scripted(async function* (_, context) {
      yield* say(context, 'a', 'begun');
      await stopped.promise;
    });
    await using gateway = await openAcp(slow);
    const link = new Link((channel) => void gateway.serve(channel));
    const clock = new ManualClock();
    await using ide = await Ide.open(bridgeOver(link, { clock, answerMs: 30_000 }).stream);
    const session = await ide.newSession();
    const one = new AbortController();
    const ended = ide.prompt(session, 'go', one.signal);
    await ide.seen('its beginning', () => ide.textOf(session) !== '');
    one.abort();
    await gateway.seen('run.stopping', 1, session);
    await clock.advance(20_000);
    stopped.resolve();
    expect(await ended).toBe('cancelled');
  });

  it('reaches a turn that words for a running one began', () =>
    withBridge({}, async ({ ide, link, session, gateway }) => {
      const prompt = [{ type: 'text', text: '/stream 1000000 5' }];
      await ide.request('_session/steering', { sessionId: session, prompt } as never);
      await ide.seen('its beginning', () => ide.textOf(session) !== '');
      link.goDown();
      await ide.cancel(session);
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      expect(await gateway.seen('run.finished', 1, session)).toMatchObject({ outcome: { type: 'cancelled' } });
    }));
});

describe('a cancel', () => {
  const steering = async ({ ide, session }: Bridged): Promise<void> => {
    const prompt = [{ type: 'text', text: '/stream 1000000 5' }];
    await ide.request('_session/steering', { sessionId: session, prompt } as never);
    await ide.seen('its beginning', () => ide.textOf(session) !== '');
  };

  it('that is lost with the link is carried out by the next one, of a turn that no prompt began too', () =>
    withBridge({}, async (bridged) => {
      const { ide, link, session, gateway } = bridged;
      await steering(bridged);
      link.fate = ({ message }) => {
        if (message.method !== 'session/cancel') return 'carry';
        link.fate = () => 'carry';
        return 'cut';
      };
      await ide.cancel(session);
      expect(await gateway.seen('run.finished', 1, session)).toMatchObject({ outcome: { type: 'cancelled' } });
    }));

  it('that comes while sessions are being resumed is carried out', () =>
    withBridge({}, async (bridged) => {
      const { ide, link, session, gateway } = bridged;
      await ide.newSession();
      await steering(bridged);
      let isCancelled = false;
      link.fate = ({ to, message }) => {
        // The first one has been resumed, and the other one's answer is on its way.
        if (to === 'bridge' && message.id === 3 && !isCancelled) {
          isCancelled = true;
          void ide.cancel(session);
        }
        return 'carry';
      };
      link.cut();
      expect(await gateway.seen('run.finished', 1, session)).toMatchObject({ outcome: { type: 'cancelled' } });
      expect(isCancelled).toBe(true);
    }));

  it('that was heard does not reach what was asked after it, when the link is cut', () =>
    withBridge({}, async (bridged) => {
      const { ide, link, session } = bridged;
      await steering(bridged);
      link.fate = ({ message }) => {
        if (message.method !== 'session/prompt') return 'carry';
        link.fate = () => 'carry';
        return 'cut after';
      };
      void ide.cancel(session);
      expect(await ide.prompt(session, '/stream 5 5')).toBe('end_turn');
      expect(link.dials).toBe(2);
    }));
});

describe('a question', () => {
  const answering = (): { options: IdeOptions; answer: (index?: number) => void; withdrawn: () => boolean } => {
    const answered = deferred<number>();
    let isWithdrawn = false;
    const onPermission: IdeOptions['onPermission'] = async (request, signal) => {
      signal.addEventListener('abort', () => {
        isWithdrawn = true;
        answered.resolve(0);
      });
      return selected(request, await answered.promise);
    };
    return { options: { onPermission }, answer: (index = 0) => answered.resolve(index), withdrawn: () => isWithdrawn };
  };
  const ticketOf = async ({ mailbox }: AcpGateway): Promise<string> => {
    const { items } = await mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
    return items[0]?.id ?? '';
  };

  it('is asked once over three cuts', async () => {
    const { options, answer } = answering();
    await withBridge(options, async ({ ide, link, session }) => {
      const ended = ide.prompt(session, '/approve');
      await ide.seen('the permission', () => ide.permissions.length === 1);
      for (let cuts = 1; cuts <= 3; cuts++) {
        link.cut();
        await ide.seen('that it is asked again', () => link.count('bridge', 'session/request_permission') > cuts);
      }
      answer();
      expect(await ended).toBe('end_turn');
      expect(ide.permissions).toHaveLength(1);
      expect(ide.textOf(session)).toContain('Message 1 was sent.');
    });
  });

  it('is answered while the link is down', async () => {
    const { options, answer } = answering();
    await withBridge(options, async ({ ide, link, session }) => {
      const ended = ide.prompt(session, '/approve');
      await ide.seen('the permission', () => ide.permissions.length === 1);
      link.goDown();
      answer();
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      expect(await ended).toBe('end_turn');
      expect(ide.permissions).toHaveLength(1);
      expect(ide.textOf(session)).toContain('Message 1 was sent.');
    });
  });

  it.each(['cut', 'cut after'] as const)('whose answer is %s is answered all the same', async (how) => {
    await withBridge({ onPermission: (request) => selected(request) }, async ({ ide, link, session }) => {
      let isLost = false;
      link.fate = ({ to, message }) => {
        if (isLost || to !== 'gateway' || message.method !== undefined) return 'carry';
        isLost = true;
        return how;
      };
      expect(await ide.prompt(session, '/approve')).toBe('end_turn');
      expect(isLost).toBe(true);
      expect(ide.permissions).toHaveLength(1);
      expect(ide.textOf(session)).toContain('Message 1 was sent.');
    });
  });

  it('that is answered elsewhere while the link is down is withdrawn', async () => {
    const { options, withdrawn } = answering();
    await withBridge(options, async ({ ide, link, session, gateway }) => {
      const ended = ide.prompt(session, '/approve');
      await ide.seen('the permission', () => ide.permissions.length === 1);
      link.goDown();
      await gateway.mailbox.tickets.decide(person, await ticketOf(gateway), { answer: { type: 'approve' } });
      link.comeBack();
      expect(await ended).toBe('end_turn');
      await ide.seen('that it is withdrawn', withdrawn);
    });
  });

  it('that is about no call is shown as one, which ends once, as the question did while the link was down', async () => {
    const asking = scripted(async function* (_, context) {
      const [decision] = await context.ask('may', { kind: 'approval', text: 'May I?' });
      yield* say(context, 'a', `it was ${decision?.how}`);
    });
    const endedAs = { approve: 'completed', dismiss: 'failed' } as const;
    for (const type of ['approve', 'dismiss'] as const) {
      const { options, withdrawn } = answering();
      await withBridge(
        options,
        async ({ ide, link, session, gateway }) => {
          const ended = ide.prompt(session, 'go');
          await ide.seen('the permission', () => ide.permissions.length === 1);
          link.goDown();
          await gateway.mailbox.tickets.decide(person, await ticketOf(gateway), { answer: { type } });
          link.comeBack();
          expect(await ended).toBe('end_turn');
          await ide.seen('that it is withdrawn', withdrawn);
          const { toolCallId = '' } = ide.permissions[0]?.toolCall ?? {};
          const told = ide.of(session).filter((update) => 'toolCallId' in update && update.toolCallId === toolCallId);
          expect(told).toMatchObject([
            { sessionUpdate: 'tool_call', title: 'May I?', status: 'pending' },
            { sessionUpdate: 'tool_call_update', status: endedAs[type] },
          ]);
        },
        asking,
      );
    }
  });

  it('that leads elsewhere and is over while the link is down is told to be', async () => {
    const signingIn = scripted(async function* (_, context) {
      const question = { kind: 'sign-in', text: 'Sign in', subject: 'https://example.test/sign-in' } as const;
      const [decision] = await context.ask('account', question);
      yield* say(context, 'a', `it was ${decision?.how}`);
    });
    const options: IdeOptions = {
      capabilities: { elicitation: { url: {} } },
      onElicitation: () => ({ action: 'accept' }),
    };
    await withBridge(
      options,
      async ({ ide, link, session, gateway }) => {
        const ended = ide.prompt(session, 'go');
        await ide.seen('the page', () =>
          link.carried.some(({ to, message }) => to === 'gateway' && 'result' in message),
        );
        const ticket = await ticketOf(gateway);
        link.goDown();
        await gateway.mailbox.tickets.decide(person, ticket, { answer: { type: 'dismiss' } });
        link.comeBack();
        expect(await ended).toBe('end_turn');
        expect([ide.elicitations.length, ide.completed]).toEqual([1, [ticket]]);
      },
      signingIn,
    );
  });

  it('of a session that is removed while the link is down is withdrawn', async () => {
    const { options, withdrawn } = answering();
    await withBridge(options, async ({ ide, link, session, gateway }) => {
      const ended = ide.prompt(session, '/approve').catch((thrown: unknown) => thrown);
      await ide.seen('the permission', () => ide.permissions.length === 1);
      link.goDown();
      await gateway.mailbox.threads.remove(ada, session, { children: 'keep', force: true });
      link.comeBack();
      expect(await ended).toMatchObject({ code: -32002 });
      await ide.seen('that it is withdrawn', withdrawn);
    });
  });

  it('whose answer breaks its form is asked again', async () => {
    let tries = 0;
    const contents = [
      { name: 'Ann', age: 'old' },
      { name: 'Ann', age: 41 },
    ];
    const onElicitation = (): acp.CreateElicitationResponse => ({ action: 'accept', content: contents[tries++] ?? {} });
    await withBridge({ capabilities: { elicitation: { form: {} } }, onElicitation }, async ({ ide, session }) => {
      expect(await ide.prompt(session, '/form')).toBe('end_turn');
      expect(ide.elicitations).toHaveLength(2);
      expect(ide.textOf(session)).toBe('Hello Ann, you are 41 years old.');
    });
  });

  it('that the IDE gave back is asked again of it, and not taken for given back again', async () => {
    let tries = 0;
    const onPermission: IdeOptions['onPermission'] = (request) => {
      if (tries++ === 0) throw new RequestError(-32800, 'not now');
      return selected(request);
    };
    await withBridge({ onPermission }, async ({ ide, session }) => {
      const ended = ide.prompt(session, '/approve');
      await ide.seen('its first answer', () => tries === 1);
      const next = ide.prompt(session, 'hello');
      expect(await Promise.all([ended, next])).toEqual(['end_turn', 'end_turn']);
      expect(tries).toBe(2);
    });
  });

  it('that the IDE gave back for its own cancel is not dismissed by a gateway that comes back', async () => {
    const onPermission: IdeOptions['onPermission'] = (_, signal) =>
      new Promise((resolve) => {
        cancelled.push(() => resolve({ outcome: { outcome: 'cancelled' } }));
        signal.addEventListener('abort', () => resolve({ outcome: { outcome: 'cancelled' } }));
      });
    const cancelled: (() => void)[] = [];
    await withBridge({ onPermission }, async ({ ide, link, session, gateway }) => {
      const messages = [{ role: 'user' as const, parts: [{ type: 'text' as const, text: '/approve' }] }];
      await gateway.submit('theirs', { threadId: session, agentId: 'demo', messages });
      await ide.seen('the permission', () => ide.permissions.length === 1);
      link.goDown();
      await ide.cancel(session);
      cancelled[0]?.();
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      await ide.seen('that it is asked again', () => ide.permissions.length === 2);
      expect(await ticketOf(gateway)).not.toBe('');
      await gateway.mailbox.tickets.decide(person, await ticketOf(gateway), { answer: { type: 'approve' } });
      await ide.seen('how it went on', () => ide.textOf(session).includes('Message 1 was sent.'));
    });
  });

  it('that is put in words is answered in words over a cut, and not taken for a message then', () =>
    withBridge({}, async ({ ide, link, session }) => {
      let isLost = false;
      link.fate = (next) => {
        if (isLost || !isAnswer(next)) return 'carry';
        isLost = true;
        return 'cut';
      };
      expect(await ide.prompt(session, '/form')).toBe('end_turn');
      expect(isLost).toBe(true);
      isLost = false;
      expect(await ide.prompt(session, '{"name":"Ann","age":41}')).toBe('end_turn');
      expect(isLost).toBe(true);
      expect(ide.textOf(session)).toMatch(/Hello Ann, you are 41 years old\.$/);
      expect(ide.textOf(session).split('Who are you?')).toHaveLength(2);
    }));

  it('that is put in words is answered in words that were said while the link is down', () =>
    withBridge({}, async ({ ide, link, session, gateway }) => {
      expect(await ide.prompt(session, '/form')).toBe('end_turn');
      link.goDown();
      const { runs } = gateway.mailbox;
      const find = runs.find.bind(runs);
      runs.find = async (...all) => {
        for (let turn = 0; turn < 20; turn++) await nextTick();
        return find(...all);
      };
      const ended = ide.prompt(session, '{"name":"Ann","age":41}');
      await gatewayTried(link, link.dials + 2);
      link.comeBack();
      expect(await ended).toBe('end_turn');
      expect(ide.textOf(session)).toMatch(/Hello Ann, you are 41 years old\.$/);
    }));

  it('that was put, and answered elsewhere, while the link is down does not end the turn', async () => {
    const [isDown, isWaiting, goOn] = [deferred(), deferred(), deferred()];
    const asking = scripted(async function* (_, context) {
      yield* say(context, 'a', 'begun. ');
      await isDown.promise;
      const asked = context.ask('form', { kind: 'form', text: 'Who?', schema: { type: 'object', properties: {} } });
      await isWaiting.promise;
      for (let count = 0; count < 300; count++) yield* say(context, String(count), '.');
      await asked;
      await goOn.promise;
      yield* say(context, 'end', ' done');
    });
    await withBridge(
      {},
      async ({ ide, link, session, gateway }) => {
        let end = '';
        const ended = ide.prompt(session, 'go').then((reason) => (end = reason));
        await ide.seen('its beginning', () => ide.textOf(session) !== '');
        link.goDown();
        isDown.resolve();
        await gateway.seen('run.waiting', 1, session);
        isWaiting.resolve();
        await gateway.seen('text.ended', 301, session);
        const { items } = await gateway.mailbox.tickets.list(ada, { state: 'open' }, { limit: 1 });
        await gateway.mailbox.tickets.decide(person, items[0]?.id ?? '', { answer: { type: 'value', value: {} } });
        link.comeBack();
        await ide.seen('what was said meanwhile', () => ide.textOf(session).endsWith('.'.repeat(300)));
        expect(end).toBe('');
        goOn.resolve();
        await ended;
        expect(ide.textOf(session)).toBe(`begun. ${'.'.repeat(300)} done`);
      },
      asking,
    );
  });
});

describe('files of the IDE', () => {
  it('are asked for by the next attempt when the link is cut, and once by that', async () => {
    const files = new Map([['/home/ann/notes.txt', 'hello']]);
    await withBridge({ files, capabilities: { fs: { readTextFile: true } } }, async ({ ide, link, session }) => {
      let isLost = false;
      link.fate = ({ message }) => {
        if (isLost || message.method !== 'fs/read_text_file') return 'carry';
        isLost = true;
        return 'cut after';
      };
      expect(await ide.prompt(session, '/read notes.txt')).toBe('end_turn');
      expect(ide.textOf(session)).toMatch(/\/home\/ann\/notes\.txt has 5 characters\.$/);
      expect(link.count('bridge', 'fs/read_text_file')).toBe(2);
    });
  });
});

describe('a gateway that comes back', () => {
  it('without the log that it had is gone on with from now', async () => {
    await using old = await openAcp();
    let serving = old;
    const link = new Link((channel) => void serving.serve(channel));
    await using ide = await Ide.open(bridgeOver(link).stream);
    const session = await ide.newSession();
    await ide.prompt(session, 'before');
    link.goDown();
    await using other = await openAcp();
    const workspace = { cwd: '/home/ann', additionalDirectories: [] };
    await other.mailbox.threads.create(ada, { id: session, workspace });
    serving = other;
    link.comeBack();
    expect(await ide.prompt(session, 'after')).toBe('end_turn');
    expect(ide.textOf(session)).toBe('You said: “before”You said: “after”');
  });

  it('and refuses is told to who waits, and tried again by the next request', () =>
    withBridge({}, async ({ ide, link, session }) => {
      link.goDown();
      const waiting = [ide.prompt(session, 'one'), ide.prompt(session, 'two')].map((ended) =>
        ended.catch((thrown: unknown) => thrown),
      );
      link.refusal = new Fault('unauthenticated', 'a token is asked for');
      for (const refused of await Promise.all(waiting)) expect(refused).toMatchObject({ code: -32000 });
      link.refusal = new Fault('agent-not-found', 'nothing is served there');
      // Nobody waits for a cancel, and nobody is told of it.
      await ide.cancel(session);
      await expect(ide.prompt(session, 'three')).rejects.toMatchObject({ code: -32002 });
      link.comeBack();
      expect(await ide.prompt(session, 'four')).toBe('end_turn');
      expect(ide.textOf(session)).toBe('You said: “four”');
    }));

  it('and dies of each request is not run into again and again', async () => {
    await using gateway = await openAcp();
    const link = new Link((channel) => void gateway.serve(channel));
    const { stream } = bridgeOver(link, { firstBackoffMs: 60_000, longestBackoffMs: 60_000 });
    const ide = await Ide.open(stream);
    const session = await ide.newSession();
    link.fate = ({ message }) => (message.method === 'session/prompt' ? 'cut' : 'carry');
    const ended = ide.prompt(session, 'hello').catch(() => undefined);
    for (let turn = 0; turn < 200; turn++) await nextTick();
    expect(link.dials).toBe(2);
    await ide[Symbol.asyncDispose]();
    await ended;
  });

  it('cannot resume a session for now is tried again', () =>
    withBridge({}, async ({ ide, link, session, gateway }) => {
      const { threads } = gateway.mailbox;
      const { find } = threads;
      let fails = 2;
      threads.find = async (...args) => {
        if (fails-- > 0) throw new Fault('store-failed', 'not now');
        return find.apply(threads, args);
      };
      link.cut();
      expect(await ide.prompt(session, 'hello')).toBe('end_turn');
      expect(fails).toBeLessThan(0);
    }));

  it('and stumbles over one session each time goes on with the others', () =>
    withBridge({}, async ({ ide, link, session, gateway }) => {
      const other = await ide.newSession();
      const { threads } = gateway.mailbox;
      const { find } = threads;
      threads.find = async (principal, threadId) => {
        if (threadId === session) throw new Error('unexpected');
        return find.call(threads, principal, threadId);
      };
      link.cut();
      expect(await ide.prompt(other, 'hello')).toBe('end_turn');
      await expect(ide.prompt(session, 'hello')).rejects.toMatchObject({ code: -32002 });
    }));
});

describe('an IDE that leaves', () => {
  const openBridge = async (): Promise<BridgedIde & { ide: Ide; link: Link; gateway: AcpGateway }> => {
    const gateway = await openAcp();
    const link = new Link((channel) => void gateway.serve(channel));
    const bridged = bridgeOver(link);
    return { ...bridged, link, gateway, ide: await Ide.open(bridged.stream) };
  };

  it('while the link is down ends the bridge', async () => {
    const { ide, link, gateway, leave, bridge } = await openBridge();
    ide.prompt(await ide.newSession(), '/stream 1000000 5').catch(() => undefined);
    link.goDown();
    await gatewayTried(link, 3);
    leave();
    await bridge.whenClosed;
    await gateway[Symbol.asyncDispose]();
  });

  it('after the gateway refused ends the bridge', async () => {
    const { ide, link, gateway, leave, bridge } = await openBridge();
    const session = await ide.newSession();
    link.goDown(new Fault('forbidden', 'not this one'));
    await expect(ide.prompt(session, 'hello')).rejects.toMatchObject({ code: -32600 });
    leave();
    await bridge.whenClosed;
    await gateway[Symbol.asyncDispose]();
  });

  it.each(['initialize', 'session/resume'])(
    'while %s is not answered ends the bridge, and its link',
    async (method) => {
      const { ide, link, gateway, leave, bridge } = await openBridge();
      await ide.newSession();
      const asked = deferred();
      link.fate = ({ to, message }) => {
        if (to === 'gateway' && message.method === method) {
          asked.resolve();
          leave();
        }
        return 'carry';
      };
      link.cut();
      await asked.promise;
      await bridge.whenClosed;
      const { dials } = link;
      await nextTick();
      expect(link.dials).toBe(dials);
      await gateway[Symbol.asyncDispose]();
    },
  );
});

describe('a slow IDE', () => {
  it('makes the gateway wait', () =>
    withBridge({}, async ({ ide, link, session, hold, release }) => {
      hold();
      const ended = ide.prompt(session, '/stream 20000');
      await ide.seen('that it waits', () => link.isPaused);
      const carried = link.carried.length;
      for (let turn = 0; turn < 50; turn++) await nextTick();
      expect(link.carried).toHaveLength(carried);
      release();
      expect(await ended).toBe('end_turn');
      expect(ide.textOf(session).trim().split(' ')).toHaveLength(20_000);
    }));
});

type Step = { readonly does: 'say' | 'approve' | 'tool' | 'cancel' };

const step: fc.Arbitrary<Step> = fc.record({ does: fc.constantFrom('say', 'approve', 'tool', 'cancel') });

describe('a story', () => {
  const demo = new DemoAgent({ id: 'demo', clock: systemClock, counter: new MemoryCounter() });
  /** The demo agent, and `/wait` says nothing until it is stopped. */
  const agent: Agent = {
    card: demo.card,
    async *run(activation, context) {
      const part = activation.messages.at(-1)?.parts[0];
      if (part?.type !== 'text' || part.text !== '/wait') yield* demo.run(activation, context);
      else await once(context.signal, 'abort');
    },
  };

  async function tell(steps: readonly Step[], cuts: readonly number[]): Promise<unknown> {
    let told: unknown;
    await withBridge(
      { onPermission: (request) => selected(request) },
      async ({ ide, link, session }) => {
        const left = [...cuts];
        let carried = 0;
        link.fate = () => {
          carried += 1;
          if (carried !== left[0]) return 'carry';
          left.shift();
          carried = 0;
          return 'cut';
        };
        const ends: string[] = [];
        for (const [index, { does }] of steps.entries()) {
          if (does !== 'cancel') {
            const text = { say: `words ${index}`, approve: '/approve 2', tool: '/tool' }[does];
            ends.push(await ide.prompt(session, text));
            continue;
          }
          const ended = ide.prompt(session, '/wait');
          await ide.cancel(session);
          ends.push(await ended);
        }
        const calls = [...ide.callsOf(session).values()].map(({ title, status, rawInput }) => ({
          title,
          status,
          rawInput,
        }));
        told = { ends, text: ide.textOf(session), calls };
      },
      agent,
    );
    return told;
  }

  it('ends the same, however often the link is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 6 }),
        async (steps, cuts) => {
          expect(await tell(steps, cuts)).toEqual(await tell(steps, []));
        },
      ),
      { numRuns: 8 },
    );
  });
});
