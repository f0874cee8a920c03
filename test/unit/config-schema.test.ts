import { readFile } from 'node:fs/promises';
import { format, type FormatOptions } from 'oxfmt';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { Config } from '../../schemas/config.ts';

// `npx vitest run config-schema -u` writes the file anew.
it('has a JSON Schema that is up to date', async () => {
  const schema = { title: 'anyport.yaml', ...z.toJSONSchema(Config, { io: 'input' }) };
  const layout = JSON.parse(await readFile('.oxfmtrc.json', 'utf8')) as FormatOptions;
  const { code } = await format('config.schema.json', JSON.stringify(schema), layout);
  await expect(code).toMatchFileSnapshot('../../schemas/config.schema.json');
});
