import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { Fault } from '../../../src/fault.ts';
import { endpoints } from '../../../src/server/control/endpoints.ts';
import { openApiOf, type Schema } from '../../../src/server/control/openapi.ts';
import { ControlServer } from '../../support/control-server.ts';
import { open, say, scripted } from '../../support/mailbox-fixture.ts';
import { RequestMaker } from '../../support/openapi-requests.ts';

const document = openApiOf(endpoints);
const seed = Number(process.env['CONTROL_SEED'] ?? 1);
const requests = 500;

const agent = scripted(async function* ({ messages }, context) {
  const part = messages.at(-1)?.parts[0];
  const words = part?.type === 'text' ? part.text : '';
  if (words === 'fail') throw new Fault('agent-refused', 'it was told to fail');
  if (words === 'ask') await context.ask('q', { kind: 'approval', text: 'may I?' });
  if (words === 'hold') await new Promise((resolve) => context.signal.addEventListener('abort', resolve));
  yield* say(context, 'a', words);
});

test(`whatever is asked, right or wrong, is answered as the document says (seed ${seed})`, async () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, 'doc');
  const compiled = new Map<string, ValidateFunction>();
  const fits = (schema: Schema, value: unknown): boolean => {
    const text = JSON.stringify(schema).replaceAll('"#/components', '"doc#/components');
    const known = compiled.get(text) ?? ajv.compile(JSON.parse(text) as object);
    compiled.set(text, known);
    return known(value);
  };

  const { mailbox } = await open(agent, { limits: { graceMs: 0, shutdownGraceMs: 0 } });
  const tokens = ['ann', 'bob'].map((actor) => ({ token: actor, actor }));
  await using server = await ControlServer.open(mailbox, { tokens });
  const maker = new RequestMaker(document, seed);
  for (let count = 0; count < requests; count++) {
    const { operation, method, path, headers, body } = maker.next();
    const authorization = `Bearer ${['ann', 'bob', 'ann', 'bob', 'nobody'][count % 5]}`;
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await server.ask(method, path, { ...sent, headers: { ...headers, authorization } });
    const { status } = answer;
    const asked = `request ${count}: ${method} ${path} ${JSON.stringify(body)?.slice(0, 1000)} is answered ${status} ${answer.text.slice(0, 1000)}`;
    expect(status, asked).toBeLessThan(500);
    const { content = {} } = operation.responses[status] ?? expect.fail(`${asked}, which is not in the document`);
    const [type = ''] = (answer.headers['content-type'] ?? '').split(';', 1);
    const schema = Object.entries(content).find(([of]) => of.startsWith(type))?.[1].schema;
    expect(schema === undefined, asked).toBe(answer.text === '');
    if (answer.body !== undefined) expect(fits(schema ?? {}, answer.body), asked).toBe(true);
    const wanted = operation.requestBody?.content['application/json']?.schema;
    if (wanted !== undefined && !fits(wanted, body)) expect(status, asked).toBeGreaterThanOrEqual(400);
    maker.learn(answer.body);
  }
  await mailbox.stop();
});
