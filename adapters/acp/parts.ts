// Content blocks, and what tool calls show. https://agentclientprotocol.com/protocol/v1/content
// https://agentclientprotocol.com/protocol/v1/tool-calls#content
import type * as acp from '@agentclientprotocol/sdk';
import * as z from 'zod';
import { JsonObject } from '../../schemas/json.ts';
import type { Part } from '../../schemas/part.ts';
import { Fault } from '../../src/fault.ts';

/** Under which a part keeps what ACP says of it and the gateway has no word for. */
export const acpKey = 'acp';

type PartOf<Type extends Part['type']> = Extract<Part, { type: Type }>;

/** What need not be there, and is not where it is ill-formed, as the schema of ACP has it. */
export const lenient = <Type extends z.ZodType>(type: Type): z.ZodCatch<z.ZodOptional<z.ZodNullable<Type>>> =>
  type.nullish().catch(undefined);

const about = { annotations: lenient(JsonObject), _meta: lenient(JsonObject) };
const media = { data: z.string(), mimeType: z.string(), ...about };

const Block = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string(), ...about }),
  z.object({ type: z.literal('image'), uri: lenient(z.string()), ...media }),
  z.object({ type: z.literal('audio'), ...media }),
  z.object({
    type: z.literal('resource_link'),
    uri: z.string(),
    name: z.string(),
    title: lenient(z.string()),
    description: lenient(z.string()),
    mimeType: lenient(z.string()),
    size: lenient(z.number().int().nonnegative()),
    ...about,
  }),
  z.object({
    type: z.literal('resource'),
    resource: z.union([
      z.object({ uri: z.string(), mimeType: lenient(z.string()), text: z.string() }),
      z.object({ uri: z.string(), mimeType: lenient(z.string()), blob: z.string() }),
    ]),
    ...about,
  }),
]);
type Block = z.infer<typeof Block>;

/** What the agent must have advertised to be sent a block. */
const capabilities = {
  text: undefined,
  image: 'image',
  audio: 'audio',
  resource_link: undefined,
  resource: 'embeddedContext',
} as const satisfies Record<Block['type'], keyof acp.PromptCapabilities | undefined>;

/**
 * A block of a prompt. `path` is where it is, `accepted` what the agent advertised.
 * @throws Fault `invalid-request` with the path of what is wrong: it is no block, or of a kind that is not advertised
 */
export function decodeBlock(block: unknown, path: string, accepted: acp.PromptCapabilities): Part {
  const parsed = Block.safeParse(block);
  if (!parsed.success) throw malformed(parsed.error, path);
  const capability = capabilities[parsed.data.type];
  if (capability !== undefined && accepted[capability] !== true) {
    const why = `the agent does not take this: it did not advertise promptCapabilities.${capability}`;
    throw new Fault('invalid-request', `${path}: ${why}`, { path });
  }
  return { ...decodeContent(parsed.data), ...decodeAbout(parsed.data) };
}

function malformed({ issues }: z.ZodError, path: string): Fault {
  const [issue] = issues;
  const at = [path, ...(issue?.path ?? [])].join('.');
  return new Fault('invalid-request', `${at}: ${issue?.message ?? 'is no content block'}`, { path: at });
}

function decodeContent(block: Block): Part {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
    case 'audio': {
      const { type: kind, data, mimeType } = block;
      return { type: 'media', kind, source: { at: 'inline', data }, mimeType };
    }
    case 'resource_link': {
      const { uri, name, title, description, mimeType, size } = block;
      return { type: 'link', uri, name, ...present({ title, description, mimeType, size }) };
    }
    case 'resource': {
      const { resource } = block;
      const { uri, mimeType } = resource;
      const content =
        'text' in resource
          ? { as: 'text' as const, text: resource.text }
          : { as: 'blob' as const, data: resource.blob };
      return { type: 'resource', uri, content, ...present({ mimeType }) };
    }
  }
}

function decodeAbout(block: Block): Pick<Part, 'annotations' | 'metadata'> {
  const { annotations, _meta } = block;
  const uri = block.type === 'image' ? block.uri : undefined;
  const ours = uri === undefined || uri === null ? undefined : { ..._meta, [acpKey]: { uri } };
  return present({ annotations, metadata: ours ?? _meta });
}

/** Undefined: it means something to the client alone that has it. */
export function encodePart(part: Part): acp.ContentBlock | undefined {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text, ...encodeAbout(part) };
    case 'media':
      return encodeMedia(part);
    case 'data':
      return { type: 'text', text: fenced('json', JSON.stringify(part.json)), ...encodeAbout(part) };
    case 'link': {
      const { uri, name, title, description, mimeType, size } = part;
      const named = present({ title, description, mimeType, size });
      return { type: 'resource_link', uri, name, ...named, ...encodeAbout(part) };
    }
    case 'resource': {
      const { uri, mimeType, content } = part;
      const held = content.as === 'text' ? { text: content.text } : { blob: content.data };
      return { type: 'resource', resource: { uri, ...present({ mimeType }), ...held }, ...encodeAbout(part) };
    }
    case 'diff':
      return { type: 'text', text: diffInWords(part), ...encodeAbout(part) };
    case 'terminal':
      return undefined;
  }
}

/** A file handle of a provider, and bytes that are gone, are named and not carried. */
function encodeMedia(part: PartOf<'media'>): acp.ContentBlock {
  const { kind, source, mimeType, filename, size } = part;
  switch (source.at) {
    case 'inline':
      return encodeInline(part, source.data);
    case 'url': {
      const name = filename ?? fileOf(source.url) ?? kind;
      return { type: 'resource_link', uri: source.url, name, ...present({ mimeType, size }), ...encodeAbout(part) };
    }
    case 'blob':
    case 'file':
      return { type: 'text', text: `[${kind}${filename === undefined ? '' : ` ${filename}`}]`, ...encodeAbout(part) };
  }
}

function encodeInline(part: PartOf<'media'>, data: string): acp.ContentBlock {
  const { kind, mimeType, filename, metadata } = part;
  const described = encodeAbout(part);
  if (kind === 'image' && mimeType !== undefined) {
    const uri = (metadata?.[acpKey] as { uri?: string } | undefined)?.uri;
    return { type: 'image', data, mimeType, ...present({ uri }), ...described };
  }
  if (kind === 'audio' && mimeType !== undefined) return { type: 'audio', data, mimeType, ...described };
  const { href: uri } = new URL(`attachment:///${filename ?? kind}`);
  return { type: 'resource', resource: { uri, blob: data, ...present({ mimeType }) }, ...described };
}

function fileOf(url: string): string | undefined {
  const { pathname = '' } = URL.canParse(url) ? new URL(url) : {};
  return pathname.split('/').at(-1) || undefined;
}

function encodeAbout({ annotations, metadata }: Part): Pick<acp.TextContent, 'annotations' | '_meta'> {
  if (annotations === undefined && metadata === undefined) return {};
  const { [acpKey]: _, ...meta } = metadata ?? {};
  return {
    ...(annotations === undefined ? {} : { annotations: Annotations.parse(annotations) as acp.Annotations }),
    ...(Object.keys(meta).length === 0 ? {} : { _meta: meta }),
  };
}

/** Other doors' annotations may say anything. */
const Annotations = z.object({
  audience: z
    .array(z.enum(['user', 'assistant']))
    .optional()
    .catch(undefined),
  lastModified: z.string().optional().catch(undefined),
  priority: z.number().optional().catch(undefined),
  _meta: JsonObject.optional().catch(undefined),
});

/** Undefined where there is nothing to show. */
export function encodeToolContent(part: Part): acp.ToolCallContent | undefined {
  if (part.type === 'terminal') return { type: 'terminal', terminalId: part.id };
  if (part.type === 'diff') {
    const { path, oldText, newText = part.op === 'delete' ? '' : undefined } = part;
    if (newText !== undefined) return { type: 'diff', path, oldText: oldText ?? null, newText };
  }
  const content = encodePart(part);
  return content === undefined ? undefined : { type: 'content', content };
}

export function encodeToolContents(parts: readonly Part[]): acp.ToolCallContent[] {
  return parts.flatMap((part) => encodeToolContent(part) ?? []);
}

export function toolText(text: string): acp.ToolCallContent {
  return { type: 'content', content: { type: 'text', text } };
}

const changes = { add: 'adds', modify: 'changes', delete: 'deletes', move: 'moves' } as const;

function diffInWords({ path, oldPath, op, patch, newText }: PartOf<'diff'>): string {
  const what = `${changes[op]} ${oldPath === undefined ? path : `${oldPath} to ${path}`}`;
  if (patch !== undefined) return `${what}\n${fenced('diff', patch)}`;
  return newText === undefined ? what : `${what}\n${fenced('', newText)}`;
}

/** Clients show text as Markdown. A fence ends at one as long as itself, so it is longer than any inside. */
function fenced(language: string, text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((ticks) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `\n${fence}${language}\n${text}\n${fence}\n`;
}

/** The members that are there. */
function present<Members extends object>(
  members: Members,
): { [Key in keyof Members]?: Exclude<Members[Key], null | undefined> } {
  const kept = Object.entries(members).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(kept) as { [Key in keyof Members]?: Exclude<Members[Key], null | undefined> };
}
