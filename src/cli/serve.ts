import * as z from 'zod';
import { Config } from '../../schemas/config.ts';
import type { ConfigSource } from '../server/config.ts';
import { type Command, decodeGiven, type Flags } from './command.ts';

export const configFlag = {
  takes: 'FILE',
  what: 'the configuration; by default anyport.yaml or anyport.config.ts here',
};
export const dataFlag = { takes: 'DIR', what: 'where the file store keeps everything (default ./.anyport)' };

const FlagValues = z.object({
  config: z.string().optional(),
  port: z
    .string()
    .transform((text) => (/^\d+$/.test(text) ? Number(text) : text))
    .pipe(Config.shape.port.unwrap())
    .optional(),
  host: Config.shape.host.unwrap().optional(),
  data: Config.shape.dataDir.unwrap().optional(),
  store: Config.shape.store.unwrap().optional(),
  'allow-unauthenticated': z.literal(true).optional(),
});

export const serve = configured('serve', 'serves the agents at one port', {
  config: configFlag,
  port: { takes: 'N', what: 'the port, 0 for a free one (default 8080)' },
  host: { takes: 'H', what: 'the address to listen on (default 127.0.0.1)' },
  data: dataFlag,
  store: { takes: 'file|memory', what: 'memory forgets everything at the end (default file)' },
  'allow-unauthenticated': { what: 'lets everyone in at an address that others can reach' },
});

export const doctor = configured('doctor', 'checks what the file store keeps, while no gateway serves it', {
  config: configFlag,
  data: dataFlag,
});

/** A command that the configuration says more about than the command line. */
function configured(run: 'serve' | 'doctor', what: string, flags: Flags): Command {
  return {
    what,
    words: [],
    flags,
    invoke(given) {
      const values = decodeGiven(FlagValues, given);
      const { config, data, 'allow-unauthenticated': allowUnauthenticated, ...same } = values;
      const renamed = { ...(data && { dataDir: data }), ...(allowUnauthenticated && { allowUnauthenticated }) };
      return { run, configFile: config, flags: { ...same, ...renamed } as ConfigSource['flags'] };
    },
  };
}
