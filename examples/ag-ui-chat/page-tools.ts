// Tools that this page offers to the agent, and runs itself. https://docs.ag-ui.com/concepts/tools
import type { Tool } from '@ag-ui/client';

interface PageTool extends Tool {
  run(args: Readonly<Record<string, unknown>>): string;
}

const pageTools: readonly PageTool[] = [
  {
    name: 'read_title',
    description: 'Reads the title of the page that the user looks at.',
    parameters: { type: 'object', properties: {} },
    run: () => document.title,
  },
  {
    name: 'colour_page',
    description: 'Gives the page another accent colour.',
    parameters: { type: 'object', properties: { colour: { type: 'string', description: 'A CSS colour' } } },
    run({ colour = 'seagreen' }) {
      if (typeof colour !== 'string' || !CSS.supports('color', colour)) throw new Error('that is no CSS colour');
      document.documentElement.style.setProperty('--accent', colour);
      return `The page is ${colour} now.`;
    },
  },
];

export const offeredTools: Tool[] = pageTools.map(({ name, description, parameters }) => ({
  name,
  description,
  parameters,
}));

/** What a tool message says of a call: the result, or why there is none. */
export function runPageTool(name: string, args: string): { readonly content: string; readonly error?: string } {
  try {
    const tool = pageTools.find((one) => one.name === name);
    if (tool === undefined) throw new Error(`this page has no tool named ${name}`);
    return { content: tool.run(JSON.parse(args || '{}') as Record<string, unknown>) };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown.message : String(thrown);
    return { content: error, error };
  }
}
