// An entry of the conversation, on the page.
import { element, setText, type View, ViewList } from './element.ts';
import type { Entry, PlanEntry } from './entries.ts';

type Of<Kind extends Entry['is']> = Extract<Entry, { is: Kind }>;

/** An entry never becomes one of another kind. */
const views: { readonly [Kind in Entry['is']]: (entry: Of<Kind>) => View<Of<Kind>> } = {
  text({ from }) {
    const text = element('p');
    const who = element('h2', {}, from === 'you' ? 'You' : 'Agent');
    return {
      element: element('article', { className: `message ${from}` }, who, text),
      update: (entry) => setText(text, entry.text),
    };
  },

  reasoning() {
    const text = element('p');
    return {
      element: element('details', { className: 'card', open: true }, element('summary', {}, 'Reasoning'), text),
      update: (entry) => setText(text, entry.text),
    };
  },

  call({ name }) {
    const status = badge('');
    const args = element('code');
    const result = element('p');
    const card = element(
      'article',
      { className: 'card', ariaLabel: `Call of ${name}` },
      element('h2', {}, name, ' ', status),
      element('pre', {}, args),
      result,
    );
    return {
      element: card,
      update(entry) {
        setText(args, entry.args);
        setText(status, statusOf(entry));
        setText(result, entry.result?.text ?? '');
        result.className = entry.result?.isError === true ? 'error' : '';
      },
    };
  },

  plan() {
    const list = element('ol');
    const items = new ViewList<PlanEntry & { readonly key: string }>(list, planItem);
    return {
      element: element('article', { className: 'card', ariaLabel: 'Plan' }, element('h2', {}, 'Plan'), list),
      update: ({ entries }) => items.show(entries.map((entry, index) => ({ key: String(index), ...entry }))),
    };
  },

  artifact({ name }) {
    const text = element('pre', { tabIndex: 0 });
    const status = badge('');
    const card = element(
      'article',
      { className: 'card', ariaLabel: `File ${name}` },
      element('h2', {}, name, ' ', status),
      text,
    );
    return {
      element: card,
      update(entry) {
        setText(text, entry.text);
        setText(status, entry.isComplete ? 'complete' : 'growing');
      },
    };
  },

  activity({ type }) {
    const content = element('pre', { tabIndex: 0 });
    return {
      element: element('article', { className: 'card', ariaLabel: type }, element('h2', {}, type), content),
      update: (entry) => setText(content, entry.content),
    };
  },
};

export function entryView(entry: Entry): View<Entry> {
  const open = views[entry.is] as (entry: Entry) => View<Entry>;
  return open(entry);
}

function statusOf({ progress, result }: Of<'call'>): string {
  if (result !== undefined) return result.isError ? 'failed' : 'done';
  return progress.replace('_', ' ') || 'called';
}

function planItem(): View<PlanEntry> {
  const content = element('span');
  const status = badge('');
  const item = element('li', {}, content, ' ', status);
  return {
    element: item,
    update(entry) {
      item.className = entry.status;
      setText(content, entry.content);
      setText(status, entry.status.replace('_', ' '));
    },
  };
}

function badge(text: string): HTMLElement {
  return element('span', { className: 'badge' }, text);
}
