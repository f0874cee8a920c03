import { nodesOf, type SyntaxNode, stringOf } from './source-file.ts';

/** A behaviour that a test names, or something else that looks like that. */
export interface Citation {
  readonly path: string;
  readonly id: string;
  /** Why nothing is shown by it; undefined: it stands on a test that runs. */
  readonly problem: string | undefined;
}

const notRun = new Set(['skip', 'skipIf', 'runIf', 'todo', 'fails']);

/** The behaviours that the tests of a file name: `tags` among the options of `it(…)` and `test(…)`. */
export function citationsOf(path: string, text: string): Citation[] {
  return [...nodesOf(path, text)].filter((node) => node.type === 'CallExpression').flatMap(citationsIn(path));
}

const citationsIn =
  (path: string) =>
  (call: SyntaxNode): Citation[] => {
    const names = namesOf(call['callee']);
    const [title, options, body] = call['arguments'] as readonly SyntaxNode[];
    if (names === undefined || options?.type !== 'ObjectExpression') return [];
    const properties = options['properties'] as readonly SyntaxNode[];
    const keys = properties.map((property) => keyOf(property));
    const tags = properties.find((property) => keyOf(property) === 'tags')?.['value'] as SyntaxNode | undefined;
    if (tags === undefined) return [];
    const problem = problemOf({ names, keys, hasTitle: title !== undefined, hasBody: body !== undefined });
    const ids = tags.type === 'ArrayExpression' ? (tags['elements'] as readonly SyntaxNode[]) : [tags];
    return ids.map((id) => {
      const text = stringOf(id);
      return { path, id: text ?? '', problem: text === undefined ? 'it is no text' : problem };
    });
  };

function problemOf(call: {
  readonly names: readonly string[];
  readonly keys: readonly (string | undefined)[];
  readonly hasTitle: boolean;
  readonly hasBody: boolean;
}): string | undefined {
  if (call.names[0] === 'describe') return 'it stands on a group of tests';
  const off = [...call.names.slice(1), ...call.keys].find((name) => name !== undefined && notRun.has(name));
  if (off !== undefined) return `its test is marked ${off}`;
  return call.hasTitle && call.hasBody ? undefined : 'its test has no body';
}

/** `it`, `it.skip`, `it.each(…)`: the names of what is called, from `it`, `test` or `describe` on. */
function namesOf(callee: unknown): readonly string[] | undefined {
  const node = callee as SyntaxNode;
  switch (node.type) {
    case 'Identifier': {
      const name = String(node['name']);
      return ['it', 'test', 'describe'].includes(name) ? [name] : undefined;
    }
    case 'MemberExpression': {
      const names = namesOf(node['object']);
      return names && [...names, keyOf({ type: '', key: node['property'] }) ?? ''];
    }
    case 'CallExpression':
      return namesOf(node['callee']);
    case 'TaggedTemplateExpression':
      return namesOf(node['tag']);
    default:
      return undefined;
  }
}

function keyOf(property: SyntaxNode): string | undefined {
  const key = property['key'] as SyntaxNode | undefined;
  return key?.type === 'Identifier' ? String(key['name']) : stringOf(key);
}
