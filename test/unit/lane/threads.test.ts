import { describe, expect, it } from 'vitest';
import type { Message } from '../../../schemas/message.ts';
import type { Command } from '../../../src/lane/command.ts';
import { LaneDriver, refusal } from '../../support/lane-driver.ts';

function creation(change: Partial<Command<'create'>['thread']> = {}, messages: readonly Message[] = []) {
  const thread = {
    scope: 'local',
    id: 'thread',
    contextId: 'thread',
    settings: { options: {} },
    state: {},
    metadata: {},
    ...change,
  };
  return { type: 'create', thread, messages, blobs: [], logId: 'log-0' } as const;
}

describe('create', () => {
  it('makes a thread that runs begin on', () => {
    const driver = new LaneDriver();
    driver.do(creation({ title: 'Trip', state: { n: 1 } }));
    expect(driver.lane).toMatchObject({ logId: 'log-0', head: 0 });
    const { token } = driver.start();
    expect(driver.events('run.started')).toMatchObject([{ state: { n: 1 } }]);
    driver.settle(token);
    expect(driver.get('thread', '').title).toBe('Trip');
  });

  it('repeated finds the thread; made of something else, it is a conflict', () => {
    const driver = new LaneDriver();
    expect(driver.do(creation({ title: 'Trip' })).was).toBe('created');
    const before = driver.lane;
    expect(driver.do(creation({ title: 'Trip' })).was).toBe('repeated');
    expect(driver.lane).toBe(before);
    expect(refusal(() => driver.do(creation({ title: 'Other' })))).toBe('request-conflict');
  });

  it('begins with another thread’s messages, numbered anew, in their order', () => {
    const source = new LaneDriver();
    const { token } = source.start({ messages: ['one'] });
    source.say(token, 'answer');
    source.settle(token);
    const path = source.all('message').toSorted((a, b) => a.seq - b.seq);
    const driver = new LaneDriver();
    driver.do(creation({ parent: { threadId: 'source', headId: path[1]?.id } }, path));
    const next = driver.start({ messages: ['two'] });
    driver.settle(next.token);
    expect(driver.history()).toEqual(['user: one', 'assistant: answer', 'user: two']);
    expect(driver.all('message').map((message) => message.seq)).toEqual([1, 2, 3]);
  });
});

describe('patch', () => {
  it('stands over what an open run wrote before it, also where its end did not know of it', () => {
    const driver = new LaneDriver();
    const { token, runId } = driver.start();
    const thread = { title: 'by the agent', settings: { mode: 'plan', options: {} } };
    const written = { ...driver.written(runId), thread };
    driver.do({ type: 'patch', patch: { title: 'by hand' } });
    driver.do({ ...driver.settlement(token), written });
    expect(driver.get('thread', '')).toMatchObject({ title: 'by hand', settings: { mode: 'plan' } });
    const next = driver.start();
    driver.do({ ...driver.settlement(next.token), written: { ...driver.written(next.runId), thread } });
    expect(driver.get('thread', '').title).toBe('by the agent');
  });

  it('changes what it names, removes what it sets to null, and tells followers', () => {
    const driver = new LaneDriver();
    driver.do(creation({ title: 'Trip', metadata: { keep: 1, drop: 2, deep: { a: 1, b: 2 } } }));
    const metadata = { drop: null, deep: { b: null, c: 3 } };
    driver.do({ type: 'patch', patch: { title: null, metadata, settings: { mode: 'plan', options: { x: 1 } } } });
    const { title, metadata: now, settings } = driver.get('thread', '');
    expect(title).toBeUndefined();
    expect(now).toEqual({ keep: 1, deep: { a: 1, c: 3 } });
    expect(settings).toEqual({ mode: 'plan', options: { x: 1 } });
    expect(driver.events('thread.changed')).toMatchObject([{ title: '', settings }]);
  });

  it('keeps a key of any name as a key', () => {
    const driver = new LaneDriver();
    driver.do(creation());
    const metadata = JSON.parse('{"__proto__":{"polluted":true}}') as Record<string, never>;
    driver.do({ type: 'patch', patch: { metadata } });
    expect(Object.keys(driver.get('thread', '').metadata)).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('that changes nothing writes nothing', () => {
    const driver = new LaneDriver();
    driver.do(creation({ title: 'Trip' }));
    const before = driver.lane;
    driver.do({ type: 'patch', patch: { title: 'Trip', metadata: {} } });
    expect(driver.lane).toBe(before);
  });
});

describe('remove', () => {
  it('is refused while something runs or waits, unless it is forced', () => {
    const driver = new LaneDriver();
    const { token } = driver.start();
    expect(refusal(() => driver.do({ type: 'remove', force: false }))).toBe('run-conflict');
    driver.accept();
    driver.settle(token);
    expect(refusal(() => driver.do({ type: 'remove', force: false }))).toBe('run-conflict');
    expect(driver.decideOnly({ type: 'remove', force: true }).writes).toEqual([{ op: 'drop' }]);
  });

  it('of an idle thread drops it whole', () => {
    const driver = new LaneDriver();
    driver.settle(driver.start().token);
    expect(driver.decideOnly({ type: 'remove', force: false }).writes).toEqual([{ op: 'drop' }]);
  });

  it('of what is not there is not found', () => {
    expect(refusal(() => new LaneDriver().do({ type: 'remove', force: true }))).toBe('not-found');
  });
});
