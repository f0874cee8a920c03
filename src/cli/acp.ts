import { resolve } from 'node:path';
import * as z from 'zod';
import { Config } from '../../schemas/config.ts';
import { AgentId } from '../../schemas/id.ts';
import { Fault } from '../fault.ts';
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
    const { 'print-config': editor, ...said } = decodeGiven(Flags, given);
    if (editor !== undefined) return { run: 'print-editor-settings', editor, args: ['acp', ...argsOf(said)] };
    const { agent, url, token, config, data, store } = said;
    if (url !== undefined) return { run: 'acp-bridge', agent, url, token };
    const flags = { ...(data && { dataDir: data }), ...(store && { store }) } as ConfigSource['flags'];
    return { run: 'acp', agent, configFile: config, flags };
  },
};

/** What says the same again, from wherever the editor starts it. */
function argsOf({ agent, url, token, config, data, store }: Omit<z.infer<typeof Flags>, 'print-config'>): string[] {
  if (token !== undefined) {
    throw new Fault('config-invalid', '--token: no secret is printed; let the editor set ANYPORT_TOKEN instead');
  }
  const [file, folder] = [config, data].map((path) => (path === undefined ? undefined : resolve(path)));
  const flags = { '--agent': agent, '--url': url, '--config': file, '--data': folder, '--store': store };
  return Object.entries(flags).flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
}
