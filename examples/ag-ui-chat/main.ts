// A chat with an agent behind Anyport. The thread's name is in the address, so reloading the page, or opening it in
// another tab, shows the same conversation, live.
import { randomUUID } from '@ag-ui/client';
import { Conversation, type Status } from './conversation.ts';
import { byId, setText, ViewList } from './element.ts';
import { entriesOf, type Entry } from './entries.ts';
import { entryView } from './entry-view.ts';
import { type Question, questionView } from './question-view.ts';

declare global {
  interface ImportMetaEnv {
    readonly VITE_AGENT?: string;
  }
}

const status = byId('status', HTMLElement);
const thread = byId('thread', HTMLElement);
const log = byId('log', HTMLElement);
const questions = byId('questions', HTMLElement);
const cards = byId('cards', HTMLElement);
const together = byId('together', HTMLElement);
const composer = byId('composer', HTMLFormElement);
const text = byId('text', HTMLTextAreaElement);
const send = byId('send', HTMLButtonElement);
const stop = byId('stop', HTMLButtonElement);
const state = byId('state', HTMLElement);

const isNew = location.hash.length < 2;
if (isNew) history.replaceState(null, '', `#${randomUUID()}`);

const conversation = new Conversation({
  url: import.meta.env.VITE_AGENT ?? 'http://127.0.0.1:8080/ag-ui/demo',
  threadId: location.hash.slice(1),
  onChange: showSoon,
});

const entryList = new ViewList<Entry>(log, entryView);
const questionList = new ViewList<Question>(cards, (question) =>
  questionView(question, (reply) => {
    void conversation.choose(question.interrupt, reply);
    show();
  }),
);

/** Events come faster than anybody can see them. */
let isShownSoon = false;
function showSoon(): void {
  if (isShownSoon) return;
  isShownSoon = true;
  requestAnimationFrame(() => {
    isShownSoon = false;
    show();
  });
}

function show(): void {
  const { isBusy, questions: asked } = conversation;
  const isAtEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 40;
  entryList.show(entriesOf(conversation.messages));
  // What is said is read out once it is said, not word by word.
  log.ariaBusy = String(isBusy);

  const hadFocus = questions.contains(document.activeElement);
  questionList.show(asked);
  // Hidden, they keep what was typed, should sending it fail.
  questions.hidden = isBusy || asked.length === 0;
  together.hidden = asked.length < 2;
  if (hadFocus && questions.hidden) text.focus();

  send.disabled = isBusy || asked.length > 0;
  stop.hidden = !isBusy && asked.length === 0;
  setText(status, wordsFor(conversation.status));
  setText(state, JSON.stringify(conversation.state, null, 2));
  (state.closest('aside') ?? state).hidden = Object.keys(Object(conversation.state)).length === 0;
  if (isAtEnd) thread.scrollTop = thread.scrollHeight;
}

function wordsFor(now: Status): string {
  switch (now.is) {
    case 'connecting':
      return 'Connecting…';
    case 'working':
      return 'Working…';
    case 'ready':
      return 'Ready';
    case 'stopped':
      return 'Stopped';
    case 'asking':
      return now.count === 1 ? 'A question for you' : `${now.count} questions for you`;
    case 'failed':
      return `Failed: ${now.why}`;
  }
}

composer.addEventListener('submit', (event) => {
  event.preventDefault();
  const said = text.value.trim();
  if (said === '' || send.disabled) return;
  text.value = '';
  text.focus();
  void conversation.say(said);
  show();
  thread.scrollTop = thread.scrollHeight;
});

text.addEventListener('keydown', (event) => {
  // While a word is composed, Enter belongs to the input method.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

stop.addEventListener('click', () => {
  text.focus();
  void conversation.stop();
});

byId('fresh', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault();
  location.hash = randomUUID();
});

addEventListener('hashchange', () => location.reload());

// Something may have happened elsewhere. A form that is being filled in is left alone.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible' && conversation.questions.length === 0) void conversation.look();
});

show();
if (!isNew) void conversation.look();
