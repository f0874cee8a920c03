import * as z from 'zod';
import { Config } from '../../schemas/config.ts';
import { AgentId } from '../../schemas/id.ts';
import type { ConfigSource } from '../server/config.ts';
import { type Command, decodeGiven } from './command.ts';
import { configFlag, dataFlag } from './serve.ts';
import { editorNames } from './editor-settings.ts';

const Flags = z.object({
  agent: AgentId.optional(),
  url: z.url({ protocol: /^https?$/ }).optional(),
  token: z.string().min(1).optional(),
  config: z.string().optional(),
  data: Config.shape.dataDir.unwrap().optional(),
  store: Config.shape.store.unwrap().optional(),
  'print-config': z.enum(editorNames).optional(),
});

/** What an IDE starts: one agent over stdin and stdout. */
export const acp: Command = {
  what: 'serves one agent to an IDE over stdin and stdout, from here or from a gateway that runs',
  words: [],
  flags: {
    agent: { takes: 'ID', what: 'which agent; by default the first' },
    url: { takes: 'URL', what: 'the gateway it is behind; without, this process is the gateway' },
    token: { takes: 'TOKEN', what: 'who is calling, with --url (default $ANYPORT_TOKEN)' },
    config: configFlag,
    data: dataFlag,
    store: { takes: 'file|memory', what: 'memory forgets everything at the end (default file)' },
    'print-config': { takes: editorNames.join('|'), what: 'prints what to paste into the editor’s settings instead' },
  },
  invoke(given) {
    const { agent, url, token, config, data, store, 'print-config': editor } = decodeGiven(Flags, given);
    if (editor !== undefined) {
      const args = ['acp', ...(agent ? ['--agent', agent] : []), ...(url ? ['--url', url] : [])];
      return { run: 'print-editor-settings', editor, args: [...args, ...(data ? ['--data', data] : [])] };
    }
    if (url !== undefined) return { run: 'acp-bridge', agent, url, token };
    const flags = { ...(data && { dataDir: data }), ...(store && { store }) } as ConfigSource['flags'];
    return { run: 'acp', agent, configFile: config, flags };
  },
};
