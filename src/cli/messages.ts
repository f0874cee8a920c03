import type { Message } from '../../schemas/message.ts';
import { type Part, textOf } from '../../schemas/part.ts';
import { harmless, oneLine } from './harmless.ts';

/** Messages in full, oldest first, each under its role. */
export function messagesText(messages: readonly Message[]): string {
  return messages
    .map(({ role, name, parts, toolCalls = [], error }) => {
      const body = [
        contentOf(parts),
        ...toolCalls.map((toolCall) => `${toolCall.name} ${toolCall.args}`),
        ...(error === undefined ? [] : [`failed: ${error}`]),
      ];
      const text = body.filter((line) => line !== '').join('\n');
      return `${oneLine(name ?? role)}:\n${harmless(text).replace(/^/gm, '  ')}\n`;
    })
    .join('');
}

function contentOf(parts: readonly Part[]): string {
  const others = parts.filter(({ type }) => type !== 'text').map(({ type }) => `[${type}]`);
  return [textOf(parts), ...others].filter((text) => text !== '').join(' ');
}
