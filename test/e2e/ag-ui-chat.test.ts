import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium, launchChromium } from '../support/browser.ts';
import { ChatPage, serveChat, type Site } from '../support/chat-page.ts';
import { GatewayProcess, temporaryDirectory } from '../support/gateway-process.ts';
import { until } from '../support/until.ts';

const chromium = findChromium();
if (chromium === undefined) {
  console.warn(
    'ag-ui-chat is skipped: no browser found. Install the package `chromium`, or name one in CHROMIUM_PATH.',
  );
}

/** What `/stream` says. */
function counted(to: number): string {
  return Array.from({ length: to }, (_, index) => `${index + 1} `).join('');
}

describe.skipIf(chromium === undefined)('the example frontend, in a browser', () => {
  let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
  let gateway: GatewayProcess;
  let site: Site;
  let browser: Browser;
  let context: BrowserContext;
  let chat: ChatPage;

  beforeAll(async () => {
    directory = await temporaryDirectory();
    gateway = await GatewayProcess.start(`${directory.path}/data`);
    site = await serveChat(`${directory.path}/site`, `${gateway.url}/ag-ui/demo`);
    browser = await launchChromium(chromium ?? '');
  });

  afterAll(async () => {
    await browser.close();
    await site[Symbol.asyncDispose]();
    await gateway.stop();
    await directory[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    context = await browser.newContext();
    chat = await ChatPage.open(context, site.url);
  });

  afterEach(async () => {
    expect(chat.errors).toEqual([]);
    await context.close();
  });

  test('text streams, and nobody but the gateway is called', async () => {
    await chat.say('/stream 1000000 20');
    // Before its end, to which it would take hours.
    await chat.reads(/^1 2 3 /);
    await chat.page.getByRole('button', { name: 'Stop' }).click();
    await chat.isNow('Stopped');
    await chat.say('/stream 40 20');
    await chat.isNow('Ready');
    expect((await chat.answers()).at(-1)).toBe(counted(40));
    expect([...chat.called].toSorted()).toEqual([new URL(site.url).origin, new URL(gateway.url).origin].toSorted());
  });

  test(
    'reasoning, tool calls, plans, files and state are shown as what they are',
    { tags: 'stream-shows-everything' },
    async () => {
      await chat.say('/think');
      await chat.reads('Six times seven is 42.');
      await chat.reads(/seven more are forty-two/);
      await chat.isNow('Ready');
      await chat.say('/tool');
      await chat.reads('19 and 23 are 42.');
      const call = chat.log.getByRole('article', { name: 'Call of add' });
      await call.getByText('{"a":19,"b":23}').waitFor();
      await call.getByText('42', { exact: true }).waitFor();
      await chat.isNow('Ready');
      await chat.say('/plan');
      const done = chat.log
        .getByRole('article', { name: 'Plan' })
        .getByRole('listitem')
        .filter({ hasText: 'completed' });
      await done.nth(2).waitFor();
      await chat.isNow('Ready');
      await chat.say('/artifact');
      await chat.log.getByRole('article', { name: 'File report.md' }).getByText('Signed: the demo agent').waitFor();
      await chat.isNow('Ready');
      await chat.say('/state');
      await chat.page.getByRole('complementary', { name: 'Shared state' }).getByText('"second"').waitFor();
    },
  );

  test('several calls are allowed and denied with the keyboard', async () => {
    await chat.say('/approve 2');
    await chat.isNow('2 questions for you');
    await chat.approval('person-1').getByRole('button', { name: 'Allow' }).press('Enter');
    await chat.approval('person-2').getByRole('button', { name: 'Deny' }).press('Enter');
    await chat.reads('Message 1 was sent. Message 2 was not sent: it was denied.');
    await chat.focused(chat.input);
  });

  test('a form says what is wrong with an answer, and takes a right one', async () => {
    await chat.say('/form');
    const form = chat.questions.getByRole('form', { name: 'Who are you?' });
    const name = form.getByLabel('Name');
    const age = form.getByLabel('Age');
    await age.fill('-1');
    await age.press('Enter');
    await form.locator('[aria-invalid=true]').nth(1).waitFor();
    await chat.focused(name);
    await form.getByText(/fill out this field/i).waitFor();
    await form.getByText(/greater than or equal to 0/i).waitFor();
    await name.fill('Ada');
    await age.fill('36');
    await age.press('Enter');
    await chat.reads('Hello Ada, you are 36 years old.');
  });

  test('a form has a field for each kind of value', async () => {
    const responseSchema = {
      type: 'object',
      properties: {
        size: { title: 'Size', enum: ['small', 'large'] },
        express: { type: 'boolean', title: 'Express' },
        weight: { type: 'number', title: 'Weight', default: 1.5, maximum: 2 },
        email: { type: 'string', title: 'Email', format: 'email', description: 'Where the receipt goes.' },
        note: { type: 'string', title: 'Note' },
        tags: { type: 'array', title: 'Tags' },
      },
      required: ['size', 'email'],
    };
    const { resumed } = await chat.askInstead({
      id: 'i',
      reason: 'input_required',
      message: 'How to send it?',
      responseSchema,
    });
    await chat.say('anything');
    const form = chat.questions.getByRole('form', { name: 'How to send it?' });
    await form.getByLabel('Email').fill('ada');
    await form.getByLabel('Tags').fill('[');
    await form.getByRole('button', { name: 'Answer' }).press('Enter');
    await chat.focused(form.getByLabel('Size'));
    await form.getByText('This is not JSON.').waitFor();
    await form.getByLabel('Size').selectOption('large');
    await form.getByLabel('Express').check();
    await form.getByLabel('Email').fill('ada@example.com');
    await form.getByLabel('Tags').fill('["a"]');
    await form.getByRole('button', { name: 'Answer' }).press('Enter');
    expect(await resumed).toEqual([
      {
        interruptId: 'i',
        status: 'resolved',
        payload: { size: 'large', express: true, weight: 1.5, email: 'ada@example.com', tags: ['a'] },
      },
    ]);
    await chat.isNow('Ready');
  });

  test('the agent calls a tool of the page', async () => {
    await chat.say('/frontend read_title');
    await chat.reads('Your read_title answered: “Anyport chat”');
    await chat.isNow('Ready');
    await chat.say('/frontend colour_page');
    await chat.reads('Your colour_page answered: “The page is seagreen now.”');
  });

  test('a page that is loaded again shows the same, and asks again', async () => {
    for (const command of ['/think', '/tool', '/frontend read_title']) {
      await chat.say(command);
      await chat.isNow('Ready');
    }
    await chat.say('/approve 2');
    await chat.isNow('2 questions for you');
    const shown = await chat.log.innerText();
    await chat.page.reload();
    await chat.isNow('2 questions for you');
    expect(await chat.log.innerText()).toBe(shown);
    await chat.approval('person-1').getByRole('button', { name: 'Allow' }).click();
    await chat.approval('person-2').getByRole('button', { name: 'Allow' }).click();
    await chat.reads('Message 1 was sent. Message 2 was sent.');
  });

  test('a page that is loaded again in the middle goes on where the run is', async () => {
    await chat.say('/stream 1000000 20');
    await chat.reads(/^1 2 3 /);
    await chat.page.reload();
    await chat.reads(/^1 2 3 /);
    const shown = await chat.reached();
    await until('it to go on', async () => (await chat.reached()) > shown);
    await chat.page.getByRole('button', { name: 'Stop' }).click();
    await chat.isNow('Stopped');
    expect(await chat.answers()).toEqual([counted(await chat.reached())]);
  });

  test('a second tab shows the same, and answers what the first was asked', async () => {
    await chat.say('/stream 60 20');
    await chat.reads(/^1 2 3 /);
    const other = await ChatPage.open(context, chat.page.url());
    await other.reads(/^1 2 3 /);
    await Promise.all([chat.isNow('Ready'), other.isNow('Ready')]);
    expect(await other.answers()).toEqual([counted(60)]);

    await chat.say('/approve');
    await Promise.all([chat.approval('person-1').waitFor(), other.approval('person-1').waitFor()]);
    await other.approval('person-1').getByRole('button', { name: 'Allow' }).click();
    await Promise.all([chat.reads('Message 1 was sent.'), other.reads('Message 1 was sent.')]);
    await Promise.all([chat.isNow('Ready'), other.isNow('Ready')]);
    expect(await chat.questions.isVisible()).toBe(false);
    expect(await other.answers()).toEqual(await chat.answers());
  });

  test(
    'the page goes on by itself when the gateway is killed and started again',
    { tags: 'dead-process-costs-an-interruption' },
    async () => {
      await chat.say('/stream 1000000 20');
      await chat.reads(/^1 2 3 /);
      await gateway.kill();
      await chat.isNow('Connecting…');
      gateway = await GatewayProcess.start(`${directory.path}/data`, { port: Number(new URL(gateway.url).port) });
      await chat.isNow('Working…');
      await chat.reads(/^1 2 3 /);
      await chat.page.getByRole('button', { name: 'Stop' }).click();
      await chat.isNow('Stopped');
      expect(await chat.answers()).toEqual([counted(await chat.reached())]);
    },
  );

  test('Stop ends the run for all who look on', async () => {
    await chat.say('/stream 1000000 20');
    await chat.reads(/^1 2 3 /);
    const other = await ChatPage.open(context, chat.page.url());
    await other.reads(/^1 2 3 /);
    await chat.page.getByRole('button', { name: 'Stop' }).click();
    await Promise.all([chat.isNow('Stopped'), other.isNow('Stopped')]);
    expect(await other.answers()).toEqual(await chat.answers());
    await chat.say('/approve');
    await chat.isNow('A question for you');
    await chat.page.getByRole('button', { name: 'Stop' }).click();
    await chat.isNow('Stopped');
    expect(await chat.questions.isVisible()).toBe(false);
    await chat.say('hello again');
    await chat.reads(/hello again/);
    await chat.isNow('Ready');
  });
});
