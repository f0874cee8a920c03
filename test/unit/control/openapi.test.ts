import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { controlApp } from '../../../src/server/control/app.ts';
import { docsPage } from '../../../src/server/control/docs-page.ts';
import { endpoints } from '../../../src/server/control/endpoints.ts';
import { type OpenApiDocument, openApiOf, type Operation } from '../../../src/server/control/openapi.ts';
import { FrameCache } from '../../../src/server/control/frame-cache.ts';
import { systemClock } from '../../../src/clock.ts';
import { TimeOrderedIds } from '../../../src/ids.ts';
import { stubGateway } from '../../support/control-fake-gateway.ts';
import { ControlServer } from '../../support/control-server.ts';

const document = openApiOf(endpoints);
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

/** Method and path of each route that express has. */
function routesOf(): string[] {
  const { gateway } = stubGateway();
  const services = {
    gateway,
    clock: systemClock,
    ids: new TimeOrderedIds(),
    frames: new FrameCache(0),
    keepAliveMs: 1,
  };
  const exchangeOf = (): never => {
    throw new Error('nothing is asked');
  };
  const app = controlApp({ endpoints, services, maxBodyBytes: 1, exchangeOf });
  return app.router.stack.flatMap(({ route }) =>
    (route?.stack ?? []).flatMap(({ method }) =>
      method === undefined ? [] : [`${method} ${(route?.path ?? '').replaceAll(/:(\w+)/g, '{$1}')}`],
    ),
  );
}

describe('the OpenAPI document', () => {
  it('is one', async () => {
    const result = await new Validator().validate(
      JSON.parse(JSON.stringify(document)) as Parameters<Validator['validate']>[0],
    );
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('has what is served, and nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(described.toSorted()).toEqual(routesOf().toSorted());
    expect(described).toHaveLength(endpoints.length);
  });

  it('names each operation and each parameter of a path once', () => {
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { path, params } of endpoints) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      expect(Object.keys(params.shape), path).toEqual(names);
    }
  });

  it('has JSON Schemas that compile, each name of which is there', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'doc');
    for (const name of Object.keys(document.components.schemas)) {
      expect(ajv.compile({ $ref: `doc#/components/schemas/${name}` }), name).toBeTypeOf('function');
    }
    const names = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(new Set(names.map(([, name]) => name))).toEqual(new Set(Object.keys(document.components.schemas)));
  });

  it('says of requests what is served: the examples of one endpoint', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema(document, 'doc');
    const fits = ajv.compile({ $ref: 'doc#/components/schemas/RunSubmission' });
    expect(fits({ text: 'a', priority: 3 })).toBe(true);
    expect(fits({ text: 'a', extra: 1 })).toBe(false);
    expect(fits({ messages: [{ role: 'king', parts: [] }] })).toBe(false);
  });

  it('leaves answers open, and their secrets out', () => {
    const { Run, Event, Activation } = document.components.schemas;
    expect(Run?.additionalProperties).toBeUndefined();
    expect(JSON.stringify([Run, Event])).not.toContain('"token"');
    expect(JSON.stringify(Activation)).not.toContain('"digest"');
  });

  it('says which faults each operation may meet', () => {
    const submit = document.paths['/v1/runs']?.post as Operation;
    expect(Object.keys(submit.responses)).toEqual(
      expect.arrayContaining(['202', '400', '401', '403', '404', '409', '413', '415', '422', '429', '503']),
    );
    expect(submit.responses['422']?.description).toContain('request-conflict');
    expect(submit.responses['429']?.headers).toHaveProperty('Retry-After');
    const list = document.paths['/v1/agents']?.get as Operation;
    expect(Object.keys(list.responses)).not.toEqual(expect.arrayContaining(['413']));
  });

  it('is served, and the page of it', async () => {
    await using server = await ControlServer.open(stubGateway().gateway);
    const { status, headers, body } = await server.ask('GET', '/openapi.json');
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(body).toEqual(JSON.parse(JSON.stringify(document)));
    const page = await server.ask('GET', '/docs');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
  });
});

describe('the page of the document', () => {
  it('has every operation and schema, each once', () => {
    const page = docsPage(document);
    for (const { operationId } of operations) expect(page.split(`id="${operationId}"`)).toHaveLength(2);
    for (const name of Object.keys(document.components.schemas)) expect(page.split(`id="${name}"`)).toHaveLength(2);
    const targets = [...page.matchAll(/href="#([^"]+)"/g)].map(([, target]) => target);
    for (const target of new Set(targets)) expect(page, target).toContain(`id="${target}"`);
  });

  it('loads nothing and runs nothing', () => {
    const page = docsPage(document);
    expect(page).not.toMatch(/<script|<link|<img|<iframe|\ssrc=|@import|url\(|https?:\/\//i);
  });

  it('shows text as text', () => {
    const nasty = '<script>alert("x")</script>&';
    const text = JSON.stringify(document).replaceAll('The agent.', JSON.stringify(nasty).slice(1, -1));
    const page = docsPage(JSON.parse(text) as OpenApiDocument);
    expect(page).not.toContain('<script');
    expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;');
  });
});
