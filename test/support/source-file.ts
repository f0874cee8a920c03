import { parseSync, type Program } from 'oxc-parser';

/** What a source file says about its place in the tree. */
export interface SourceFile {
  /** From the root of the package, with forward slashes. */
  readonly path: string;
  /** Every module it names: imports, type imports, re-exports, `import()` and `import('…')` types, in order. */
  readonly imports: readonly string[];
  readonly readsEnvironment: boolean;
  readonly onlyReexports: boolean;
}

/** Stands for an `import()` whose module only shows when it runs. */
export const computedImport = '(computed)';

export type SyntaxNode = { readonly type: string; readonly [field: string]: unknown };

/** All that a source file is made of, each before its parts. */
export function nodesOf(path: string, text: string): Generator<SyntaxNode> {
  return walk(parse(path, text));
}

export function parseSourceFile(path: string, text: string): SourceFile {
  const program = parse(path, text);
  const nodes = [...walk(program)];
  return {
    path,
    imports: nodes.flatMap(importedModule),
    readsEnvironment: nodes.some(readsEnvironment),
    onlyReexports: program.body.every(
      (statement) =>
        statement.type === 'ExportAllDeclaration' ||
        (statement.type === 'ExportNamedDeclaration' && statement.source !== null),
    ),
  };
}

function parse(path: string, text: string): Program {
  const { program, errors } = parseSync(path, text);
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`);
  return program;
}

function* walk(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) {
    for (const element of value) yield* walk(element);
  } else if (isNode(value)) {
    yield value;
    yield* walk(Object.values(value));
  }
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function importedModule(node: SyntaxNode): string[] {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportNamedDeclaration':
    case 'ExportAllDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      if (!isNode(node['source'])) return [];
      return [stringOf(node['source']) ?? computedImport];
    default:
      return [];
  }
}

function readsEnvironment(node: SyntaxNode): boolean {
  switch (node.type) {
    case 'MemberExpression':
      return nameOf(node['property']) === 'env' && isProcess(node['object']);
    case 'VariableDeclarator':
      return isProcess(node['init']) && namesEnv(node['id'], 'properties', 'key');
    case 'ImportDeclaration':
      return (
        ['process', 'node:process'].includes(stringOf(node['source']) ?? '') && namesEnv(node, 'specifiers', 'imported')
      );
    default:
      return false;
  }
}

/** `process`, `globalThis.process`. */
function isProcess(value: unknown): boolean {
  if (!isNode(value)) return false;
  return nameOf(value.type === 'MemberExpression' ? value['property'] : value) === 'process';
}

function namesEnv(owner: unknown, list: string, key: string): boolean {
  return isNode(owner) && [owner[list]].flat().some((entry) => isNode(entry) && nameOf(entry[key]) === 'env');
}

function nameOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  return value.type === 'Identifier' ? String(value['name']) : stringOf(value);
}

/** The text that a node spells; undefined for anything else. */
export function stringOf(value: unknown): string | undefined {
  return isNode(value) && value.type === 'Literal' && typeof value['value'] === 'string' ? value['value'] : undefined;
}
