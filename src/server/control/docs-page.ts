import type { OpenApiDocument, Operation, Parameter, Response, Schema } from './openapi.ts';
import { textOfSchema } from './schema-text.ts';

/** A page of an OpenAPI document for people to read: no scripts, and nothing to load. */
export function docsPage({ info, tags, paths, components }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const sections = tags.map(({ name }) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(name));
    return `<h2>${escapeHtml(name)}</h2>${own.map(operationHtml).join('')}`;
  });
  const contents = operations.map(
    ({ path, method, operation: { operationId, summary } }) =>
      `<tr><td><a href="#${escapeHtml(operationId)}"><code>${method} ${escapeHtml(path)}</code></a></td><td>${prose(summary)}</td></tr>`,
  );
  const schemas = Object.entries(components.schemas).map(([name, schema]) => schemaHtml(name, schema));
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escapeHtml(info.title)}</title><style>${style}</style></head><body>`,
    `<h1>${escapeHtml(info.title)} <small>${escapeHtml(info.version)}</small></h1><p>${prose(info.description)}</p>`,
    '<p>For programs: <a href="/v1/openapi.json">openapi.json</a></p>',
    `<table>${contents.join('')}</table>`,
    ...sections,
    `<h2>Schemas</h2>${schemas.join('')}`,
    '</body></html>',
  ].join('\n');
}

interface Row {
  readonly path: string;
  readonly method: string;
  readonly operation: Operation;
}

function operationHtml({ path, method, operation }: Row): string {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const body = requestBody?.content['application/json']?.schema;
  return [
    `<section id="${escapeHtml(operationId)}"><h3><code>${method} ${escapeHtml(path)}</code></h3>`,
    `<p>${prose(summary)}${description === undefined ? '' : ` ${prose(description)}`}</p>`,
    parameters.length > 0 ? `<h4>Parameters</h4><table>${parameters.map(parameterHtml).join('')}</table>` : '',
    body === undefined ? '' : `<h4>Body${requestBody?.required === true ? '' : ' (optional)'}</h4>${code(body)}`,
    `<h4>Answers</h4><table>${Object.entries(responses).map(responseHtml).join('')}</table></section>`,
  ].join('\n');
}

function parameterHtml({ name, in: where, required, description = '', schema }: Parameter): string {
  const what = `${where}${required ? '' : ', optional'}`;
  return `<tr><td><code>${escapeHtml(name)}</code><br><small>${what}</small></td><td>${code(schema)}${prose(description)}</td></tr>`;
}

function responseHtml([status, { description, headers = {}, content = {} }]: readonly [string, Response]): string {
  const bodies = Object.entries(content)
    .filter(([type]) => type !== 'application/problem+json')
    .map(([type, { schema }]) => `<small>${escapeHtml(type)}</small>${code(schema)}`);
  const names = Object.entries(headers).map(
    ([name, header]) => `<p><code>${escapeHtml(name)}</code>: ${prose(header.description)}</p>`,
  );
  return `<tr><td>${escapeHtml(status)}</td><td>${prose(description)}${names.join('')}${bodies.join('')}</td></tr>`;
}

function schemaHtml(name: string, schema: Schema): string {
  const { description = '', ...shape } = schema;
  return `<section id="${escapeHtml(name)}"><h3><code>${escapeHtml(name)}</code></h3><p>${prose(description)}</p>${code(shape)}</section>`;
}

/** A schema as a type, its names linked. */
function code(schema: Schema): string {
  const text = textOfSchema(schema, '')
    .map((piece) =>
      'ref' in piece ? `<a href="#${escapeHtml(piece.ref)}">${escapeHtml(piece.ref)}</a>` : escapeHtml(piece.text),
    )
    .join('');
  return `<pre>${text}</pre>`;
}

/** Text in which names stand between backticks. */
function prose(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]*)`/g, '<code>$1</code>');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; background: #fff }
h2 { margin-top: 3rem; border-bottom: 1px solid #d5dae0 } h3 { margin: 2rem 0 .5rem } h4 { margin: 1rem 0 .25rem }
table { border-collapse: collapse; width: 100% } td { border-top: 1px solid #e5e8ec; padding: .3rem .8rem .3rem 0; vertical-align: top }
td:first-child { white-space: nowrap } code, pre { font: 14px/1.45 ui-monospace, monospace } a { color: #0b5cad }
pre { background: #f5f7f9; padding: .6rem .8rem; margin: .3rem 0; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere }
p { margin: .3rem 0 } small { color: #5b6570 }
@media (prefers-color-scheme: dark) {
  body { color: #dfe4ea; background: #15181c } pre { background: #1e2329 } a { color: #7bb5f0 } small { color: #98a2ad }
  h2, td { border-color: #333a42 }
}`;
