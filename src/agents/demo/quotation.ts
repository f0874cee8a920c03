import type { AgentMode, AgentOption } from '../../../schemas/agent-card.ts';
import type { ThreadSettings } from '../../../schemas/thread.ts';

/** How the demo agent answers what it has no command for. */
export const quotingModes: AgentMode[] = [
  { id: 'calm', name: 'Calm', description: 'Quotes what you say as you said it' },
  { id: 'loud', name: 'Loud', description: 'Quotes what you say in capitals' },
];

const marks = new Map<unknown, readonly [string, string]>([
  ['curly', ['“', '”']],
  ['straight', ['"', '"']],
  ['none', ['', '']],
]);

export const quotingOptions: AgentOption[] = [
  {
    type: 'select',
    id: 'marks',
    name: 'Quotation marks',
    description: 'Around what you said',
    choices: [
      { id: 'curly', name: 'Curly' },
      { id: 'straight', name: 'Straight' },
      { id: 'none', name: 'None' },
    ],
    default: 'curly',
  },
  { type: 'boolean', id: 'count', name: 'Count words', description: 'Says how many words you said', default: false },
];

export function quote(text: string, { mode, options }: ThreadSettings): string {
  const [before, after] = marks.get(options['marks']) ?? ['“', '”'];
  const quoted = `You said: ${before}${mode === 'loud' ? text.toUpperCase() : text}${after}`;
  return options['count'] === true ? `${quoted} (${text.split(/\s+/).length} words)` : quoted;
}
