// What a tool call was given and came to. https://agentclientprotocol.com/protocol/v1/tool-calls
import type * as acp from '@agentclientprotocol/sdk';
import type { Json } from '../../schemas/json.ts';
import type { Part } from '../../schemas/part.ts';
import { encodeToolContents, toolText } from './parts.ts';

/** Arguments as the model wrote them. Text that is no JSON is shown as it is. */
export function encodeArgs(args: string): unknown {
  return args.trim() === '' ? {} : (parse(args) ?? { text: args });
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** The statuses of a result where its agent said no more. */
const reasons: Readonly<Record<string, string>> = {
  error: 'It failed.',
  denied: 'It was denied.',
  cancelled: 'It was cancelled.',
};

/**
 * What a call came to. `error`: why it failed, or in what manner. `shown` is what it shows so far: it stays where the
 * result says nothing itself.
 */
export function encodeResult(
  parts: readonly Part[],
  error: string | undefined,
  shown: readonly acp.ToolCallContent[] = [],
): Pick<acp.ToolCall, 'status' | 'content' | 'rawOutput'> {
  const content = encodeToolContents(parts);
  if (error === undefined) {
    const rawOutput = rawOutputOf(parts);
    return {
      status: 'completed',
      ...(content.length === 0 ? {} : { content }),
      ...(rawOutput === undefined ? {} : { rawOutput }),
    };
  }
  const reason = reasons[error];
  if (reason !== undefined && content.length > 0) return { status: 'failed', content };
  const said = content.length > 0 ? content : shown;
  return { status: 'failed', content: [...said, toolText(reason ?? error)] };
}

/** A result that is one JSON value. Text is one where it is an object or a list: a number may as well be words. */
function rawOutputOf(parts: readonly Part[]): Json | undefined {
  const [only, second] = parts;
  if (second !== undefined) return undefined;
  if (only?.type === 'data') return only.json;
  return only?.type === 'text' && /^\s*[[{]/.test(only.text) ? parse(only.text) : undefined;
}
