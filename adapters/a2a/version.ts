// https://a2a-protocol.org/v1.0.1/specification/#36-versioning
import { VersionNotSupportedError } from '@a2a-js/sdk/errors';

export type Version = '1.0' | '0.3';

/** What a caller says, in a header or its query; who says nothing speaks 0.3. Patch numbers mean nothing. */
export function requestedVersion(header: string | string[] | undefined, url: URL | undefined): string {
  const said = [header].flat()[0] ?? (url === undefined ? undefined : queryVersion(url)) ?? '';
  const text = said.trim();
  return text === '' ? '0.3' : text.replace(/^(\d+\.\d+)\..*$/, '$1');
}

function queryVersion(url: URL): string | undefined {
  for (const [name, value] of url.searchParams) if (name.toLowerCase() === 'a2a-version') return value;
  return undefined;
}

/** @throws the SDK's VersionNotSupported: it is not spoken on this binding */
export function chooseVersion<Offered extends Version>(requested: string, offered: readonly Offered[]): Offered {
  const version = offered.find((one) => one === requested);
  if (version !== undefined) return version;
  const spoken = offered.join(' and ');
  throw new VersionNotSupportedError(
    `version ${JSON.stringify(requested)} is not spoken on this binding; ${spoken} is`,
  );
}
