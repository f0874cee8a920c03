import { describe, expect, it } from 'vitest';
import type { MessageInput } from '../../../schemas/message.ts';
import { alice, assistant, bob, LaneDriver, refusal, type Said, user } from '../../support/lane-driver.ts';

/** A web client that keeps its own copy of the conversation and sends all of it, always. */
class WebClient {
  readonly driver: LaneDriver;
  list: MessageInput[] = [];
  #answers = 0;

  constructor(driver: LaneDriver = new LaneDriver()) {
    this.driver = driver;
  }

  /** Sends the copy as it is, and the agent answers. Returns the run. */
  turn(said: Said = {}): string {
    const { token, runId } = this.driver.start(this.post(said));
    this.#answers += 1;
    const text = `answer ${this.#answers}`;
    this.list.push(assistant(text, this.driver.say(token, text)));
    this.driver.settle(token);
    return runId;
  }

  say(text: string, id: string): void {
    this.list.push(user(text, id));
  }

  post(said: Said = {}): Said {
    return { messages: [...this.list], messagesAre: 'whole', ...said };
  }

  /** A second tab: the copy as it is now. */
  copy(): WebClient {
    const other = new WebClient(this.driver);
    other.list = [...this.list];
    other.#answers = this.#answers + 100;
    return other;
  }
}

function talked(...texts: readonly string[]): WebClient {
  const client = new WebClient();
  for (const [index, text] of texts.entries()) {
    client.say(text, `u${index + 1}`);
    client.turn();
  }
  return client;
}

/** No text is in the thread twice, and every message hangs on one that is there. */
function expectTree({ driver }: WebClient): void {
  const messages = driver.all('message');
  const texts = messages.map((message) => JSON.stringify([message.role, message.parts]));
  expect(new Set(texts).size).toBe(texts.length);
  expect(new Set(messages.map((message) => message.seq)).size).toBe(messages.length);
  const ids = new Set(messages.map((message) => message.id));
  expect(messages.filter(({ parentId }) => parentId !== undefined && !ids.has(parentId))).toEqual([]);
}

describe('a client that sends its whole copy', () => {
  it('adds what is new, turn after turn', () => {
    const client = talked('one', 'two', 'three');
    expect(client.driver.history()).toEqual([
      'user: one',
      'assistant: answer 1',
      'user: two',
      'assistant: answer 2',
      'user: three',
      'assistant: answer 3',
    ]);
    expect(client.driver.events('thread.branched')).toEqual([]);
    expectTree(client);
  });

  it('keeps its own names for its messages', () => {
    const { driver } = talked('one');
    expect(driver.get('message', 'u1')).toMatchObject({ role: 'user', actor: 'alice', door: 'ag-ui' });
    expect(driver.get('message', 'u1').clientId).toBeUndefined();
  });

  it(
    'regenerates: the answer is a sibling, and nothing is added to the question',
    { tags: 'client-copy-deletes-nothing' },
    () => {
      const client = talked('one', 'two');
      client.list.pop();
      const before = client.driver.all('message').length;
      client.turn();
      expect(client.driver.history().slice(2)).toEqual(['user: two', 'assistant: answer 3']);
      expect(client.driver.all('message')).toHaveLength(before + 1);
      expect(client.driver.events('thread.branched')).toMatchObject([{ headId: 'u2' }]);
      client.say('three', 'u3');
      client.turn();
      expect(client.driver.history().slice(2)).toEqual([
        'user: two',
        'assistant: answer 3',
        'user: three',
        'assistant: answer 4',
      ]);
      expectTree(client);
    },
  );

  it(
    'edits in place: the same id with other content branches from its parent',
    { tags: 'client-copy-deletes-nothing' },
    () => {
      const client = talked('one', 'two');
      client.list = [...client.list.slice(0, 2), user('two, but better', 'u2')];
      client.turn();
      expect(client.driver.history()).toEqual([
        'user: one',
        'assistant: answer 1',
        'user: two, but better',
        'assistant: answer 3',
      ]);
      const edited = client.driver.all('message').find((message) => message.clientId === 'u2');
      expect(client.driver.find('alias', 'u2')).toEqual({ messageIds: [edited?.id] });
      client.say('three', 'u3');
      client.turn();
      expect(client.driver.history()).toHaveLength(6);
      expectTree(client);
    },
  );

  it('edits in place twice, then asks the last one again', () => {
    const client = talked('one');
    client.list = [user('two', 'u1')];
    client.turn();
    client.list = [user('three', 'u1')];
    client.turn();
    client.list.pop();
    client.turn();
    expect(client.driver.history()).toEqual(['user: three', 'assistant: answer 4']);
    expect(client.driver.all('message').filter((message) => message.parentId === undefined)).toHaveLength(3);
    expectTree(client);
  });

  it('is stale in a second tab that asks again what the first one has edited: the old version is taken up', () => {
    const first = talked('one');
    const tabs = [first.copy()];
    for (const text of ['two', 'three']) {
      first.list = [user(text, 'u1')];
      first.turn();
      tabs.push(first.copy());
    }
    const messages = first.driver.all('message').length;
    for (const [index, text] of ['one', 'two', 'three'].entries()) {
      const tab = tabs[index];
      tab?.list.pop();
      tab?.turn();
      expect(first.driver.history()[0]).toBe(`user: ${text}`);
      expect(first.driver.all('message')).toHaveLength(messages + index + 1);
    }
  });

  it('edits with a new id: a branch from where its copy goes on', () => {
    const client = talked('one', 'two');
    client.list = [...client.list.slice(0, 2), user('two, rephrased', 'u2b')];
    client.turn();
    expect(client.driver.history()).toEqual([
      'user: one',
      'assistant: answer 1',
      'user: two, rephrased',
      'assistant: answer 3',
    ]);
    expect(client.driver.get('message', 'u2')).toMatchObject({ parts: [{ text: 'two' }] });
    expectTree(client);
  });

  it('edits the first message with a new id: a new root', () => {
    const client = talked('one', 'two');
    client.list = [user('uno', 'u1b')];
    client.turn();
    expect(client.driver.history()).toEqual(['user: uno', 'assistant: answer 3']);
    expect(client.driver.events('thread.branched')).toHaveLength(1);
  });

  it(
    'is stale in a second tab: it branches where its copy ends, and both branches are there',
    { tags: 'client-copy-deletes-nothing' },
    () => {
      const first = talked('one');
      const second = first.copy();
      first.say('two', 'u2');
      first.turn();
      second.say('another two', 'v2');
      second.turn();
      expect(second.driver.history()).toEqual([
        'user: one',
        'assistant: answer 1',
        'user: another two',
        'assistant: answer 102',
      ]);
      first.say('three', 'u3');
      first.turn();
      expect(first.driver.history().slice(2)).toEqual([
        'user: two',
        'assistant: answer 2',
        'user: three',
        'assistant: answer 3',
      ]);
      expectTree(first);
    },
  );

  it('does not know what came through another door: that tail is kept, and goes first', () => {
    const client = talked('one');
    const elsewhere = client.driver.start({ by: bob, messages: ['from the editor'] });
    client.driver.say(elsewhere.token, 'to the editor');
    client.driver.settle(elsewhere.token);
    client.say('two', 'u2');
    client.turn();
    expect(client.driver.history()).toEqual([
      'user: one',
      'assistant: answer 1',
      'user: from the editor',
      'assistant: to the editor',
      'user: two',
      'assistant: answer 2',
    ]);
    expect(client.driver.events('thread.branched')).toEqual([]);
    client.list.splice(0, 2);
    client.say('three', 'u3');
    client.turn();
    expect(client.driver.history().slice(-2)).toEqual(['user: three', 'assistant: answer 3']);
    expect(client.driver.history()).toHaveLength(8);
  });

  it('does not know what the same person said through another door either', () => {
    const client = talked('one');
    client.driver.settle(client.driver.start({ by: { ...alice, door: 'acp' }, messages: ['from my editor'] }).token);
    client.say('two', 'u2');
    client.turn();
    expect(client.driver.history().slice(2, 4)).toEqual(['user: from my editor', 'user: two']);
  });

  it('does not know what another door told the agent without a word of a user', () => {
    const client = talked('one');
    const told: MessageInput = { role: 'system', parts: [{ type: 'text', text: 'be brief' }] };
    client.driver.settle(client.driver.start({ by: { ...alice, door: 'control' }, messages: [told] }).token);
    client.say('two', 'u2');
    client.turn();
    expect(client.driver.history().slice(2, 4)).toEqual(['system: be brief', 'user: two']);
  });

  it('asks again, although others have gone on since: it branches where it asks', () => {
    const client = talked('one');
    client.driver.settle(client.driver.start({ by: bob, messages: ['from the editor'] }).token);
    client.list.pop();
    client.turn();
    expect(client.driver.history()).toEqual(['user: one', 'assistant: answer 2']);
  });

  it('brings a greeting that it invented: the greeting is kept, once', () => {
    const client = new WebClient();
    client.list = [assistant('Welcome!', 'g')];
    client.say('one', 'u1');
    client.turn();
    client.say('two', 'u2');
    client.turn();
    expect(client.driver.history()).toEqual([
      'assistant: Welcome!',
      'user: one',
      'assistant: answer 1',
      'user: two',
      'assistant: answer 2',
    ]);
    expectTree(client);
  });

  it('invents another greeting with each page load: what it shares with the thread counts', () => {
    const client = talked('one');
    client.list = [assistant('Hello again!', 'g2'), ...client.list];
    client.say('two', 'u2');
    client.turn();
    expect(client.driver.history()).toEqual(['user: one', 'assistant: answer 1', 'user: two', 'assistant: answer 2']);
  });

  it('has nothing new to say: its run starts at the head', () => {
    const client = talked('one');
    client.turn();
    expect(client.driver.history()).toEqual(['user: one', 'assistant: answer 1', 'assistant: answer 2']);
  });
});

describe('a client that talks while a run is open', () => {
  it('queues behind an answer that it sees half of: that is not added again', () => {
    const client = new WebClient();
    client.say('one', 'u1');
    const { driver } = client;
    const { token } = driver.start(client.post());
    driver.append(
      token,
      { type: 'text.started', id: 'a1', role: 'assistant' },
      { type: 'text.delta', id: 'a1', delta: 'half' },
    );
    client.list.push(assistant('half', 'a1'));
    client.say('two', 'u2');
    driver.accept(client.post());
    driver.append(token, { type: 'text.delta', id: 'a1', delta: ' and half' }, { type: 'text.ended', id: 'a1' });
    driver.settle(token);
    driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: one', 'assistant: half and half', 'user: two']);
  });

  it('says more in a tab that sees nothing of the answer: that goes behind it', () => {
    const client = new WebClient();
    client.say('one', 'u1');
    const { driver } = client;
    const { token } = driver.start(client.post());
    client.say('two', 'u2');
    driver.accept(client.post());
    driver.say(token, 'answer');
    driver.settle(token);
    driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: one', 'assistant: answer', 'user: two']);
  });

  it('asks again for an edit that still waits: one edit, two answers', () => {
    const client = talked('one');
    const { driver } = client;
    const { token } = driver.start({ by: bob, messages: ['busy'] });
    client.list = [user('one, edited', 'u1')];
    for (const key of ['edit', 'again']) driver.accept(client.post({ key }));
    driver.settle(token);
    for (const text of ['first', 'second']) {
      const next = driver.claim();
      driver.say(next.token, text);
      driver.settle(next.token);
      expect(driver.history()).toEqual(['user: one, edited', `assistant: ${text}`]);
    }
    expect(driver.get('activation', 'ag-ui:again').messageIds).toEqual(
      driver.get('activation', 'ag-ui:edit').messageIds,
    );
    expectTree(client);
  });

  it('stops it in mid-answer and says something new: half an answer, then the new message', () => {
    const client = new WebClient();
    client.say('one', 'u1');
    const { driver } = client;
    const { token } = driver.start(client.post());
    driver.append(
      token,
      { type: 'text.started', id: 'a1', role: 'assistant' },
      { type: 'text.delta', id: 'a1', delta: 'half' },
    );
    client.list.push(assistant('half', 'a1'));
    client.say('stop, something else', 'u2');
    driver.accept(client.post({ whenBusy: 'interrupt' }));
    driver.append(token, { type: 'text.ended', id: 'a1' });
    driver.settle(token, undefined, { token: 'two' });
    expect(driver.history()).toEqual(['user: one', 'assistant: half', 'user: stop, something else']);
    driver.say('two', 'of course');
    driver.settle('two');
    expect(driver.history().at(-1)).toBe('assistant: of course');
    expect(driver.all('message')).toHaveLength(4);
  });

  it('stops it before it said a word and asks again: one question, one answer', () => {
    const client = new WebClient();
    client.say('one', 'u1');
    const { driver } = client;
    const { token } = driver.start(client.post());
    driver.cancel('thread', alice);
    driver.settle(token);
    client.turn();
    expect(driver.history()).toEqual(['user: one', 'assistant: answer 1']);
    expectTree(client);
  });

  it(
    'sends two messages in a row that both wait: each is added once, in order',
    { tags: 'messages-keep-their-order' },
    () => {
      const client = new WebClient();
      const { driver } = client;
      const { token } = driver.start({ by: bob, messages: ['busy'] });
      client.say('one', 'u1');
      driver.accept(client.post());
      client.say('two', 'u2');
      driver.accept(client.post());
      driver.settle(token);
      driver.settle(driver.claim().token);
      driver.settle(driver.claim().token);
      expect(driver.history()).toEqual(['user: busy', 'user: one', 'user: two']);
      expectTree(client);
    },
  );

  it('edits, while it waits, a message that waits: both versions are kept, the later one behind', () => {
    const client = new WebClient();
    const { driver } = client;
    const { token } = driver.start({ by: bob, messages: ['busy'] });
    driver.accept(client.post({ messages: [user('one', 'u1')] }));
    const changed = driver.accept(client.post({ messages: [user('one, changed', 'u1')] })).activation;
    driver.settle(token);
    driver.settle(driver.claim().token);
    driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: busy', 'user: one', 'user: one, changed']);
    expect(driver.get('activation', changed.id).messageIds).toEqual([driver.lane?.headId]);
  });

  it('is not lost for a name that an answer took meanwhile', () => {
    const driver = new LaneDriver();
    const { token } = driver.start({ messages: ['busy'] });
    const { activation } = driver.accept({ messages: [user('mine', 'x')] });
    driver.say(token, 'theirs', 'x');
    driver.settle(token);
    driver.claim();
    expect(driver.history()).toEqual(['user: busy', 'assistant: theirs', 'user: mine']);
    expect(driver.get('activation', activation.id).messageIds).toEqual([driver.lane?.headId]);
  });

  it('sends its copy through two doors at once: what they share is added once', () => {
    const client = new WebClient();
    client.say('one', 'u1');
    const { driver } = client;
    driver.accept(client.post());
    driver.accept(client.post({ by: { ...alice, door: 'control' } }));
    driver.settle(driver.claim().token);
    driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: one']);
  });
});

describe('a message that is sent as new', () => {
  it('is new, whatever it is called', () => {
    const driver = new LaneDriver();
    for (const key of ['one', 'two', 'three']) driver.accept({ key, messages: [user('again', 'm')] });
    for (let left = 3; left > 0; left--) driver.settle(driver.claim().token);
    expect(driver.history()).toEqual(['user: again', 'user: again', 'user: again']);
    expect(driver.all('message').map((message) => message.clientId)).toEqual([undefined, 'm', 'm']);
  });
});

describe('a message that branches by name', () => {
  it('hangs on the message it names', { tags: 'branch-needs-its-message' }, () => {
    const client = talked('one', 'two');
    client.driver.start({ base: 'u1', messages: ['instead'] });
    expect(client.driver.history()).toEqual(['user: one', 'user: instead']);
  });

  it('is refused when there is no such message', { tags: 'branch-needs-its-message' }, () => {
    const client = talked('one');
    expect(refusal(() => client.driver.accept({ base: 'u9' }))).toBe('not-found');
  });
});

describe('what a run wrote', () => {
  it('hangs on what it was told, in the order of its log', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ messages: ['go'] });
    driver.say(token, 'one');
    driver.accept({ messages: ['and?'], whenBusy: 'steer' });
    driver.do({ type: 'takeInput', token, key: '1' });
    driver.say(token, 'two');
    driver.settle(token);
    expect(driver.history()).toEqual(['user: go', 'assistant: one', 'user: and?', 'assistant: two']);
    expect(driver.get('run', runId).headId).toBe(driver.lane?.headId);
  });

  it('never takes the place of a message that was there, whatever its agent calls it', () => {
    const driver = new LaneDriver();
    const first = driver.start({ messages: [user('one', 'm')] });
    driver.say(first.token, 'first answer', 'shared');
    driver.settle(first.token);
    const second = driver.start({ messages: [user('two', 'n')] });
    driver.say(second.token, 'it is m again', 'm');
    driver.say(second.token, 'second answer', 'shared');
    driver.settle(second.token);
    expect(driver.history()).toEqual([
      'user: one',
      'assistant: first answer',
      'user: two',
      'assistant: it is m again',
      'assistant: second answer',
    ]);
  });

  it('is a chain even where its agent gives one id to two messages', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start({ messages: ['go'] });
    const twice = [
      { id: 'same', role: 'assistant', parts: [{ type: 'text', text: 'call' }], runId, actor: 'demo' },
      { id: 'same', parentId: 'same', role: 'tool', parts: [{ type: 'text', text: 'result' }], runId, actor: 'demo' },
    ] as const;
    const written = { messages: structuredClone(twice) as never, pendingToolCalls: [], thread: {}, seq: 0 };
    driver.do({ ...driver.settlement(token), written });
    expect(driver.history().slice(-2)).toEqual(['assistant: call', 'tool: result']);
    expect(driver.accept({ messages: ['next'], messagesAre: 'whole' }).became).toBe('queued');
  });
});
