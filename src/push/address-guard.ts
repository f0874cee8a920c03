import { lookup as lookUp } from 'node:dns/promises';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { Fault } from '../fault.ts';

export interface AddressGuardOptions {
  /** Hosts, addresses and CIDR blocks that are reached although they are not public. A host with any address it has. */
  readonly allow: readonly string[];
  /** How names become addresses; by default as the system resolves them. */
  readonly resolve?: (hostname: string) => Promise<readonly LookupAddress[]>;
}

/**
 * Special-purpose blocks that nobody on the internet can be reached at, or that reach into the network we stand in.
 * https://www.iana.org/assignments/iana-ipv4-special-registry
 */
const notPublicV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // The host agent of Azure's machines, at an address that looks public.
  '168.63.129.16/32',
] as const;

/** What of `2000::/3` is not public; nothing outside of it is. https://www.iana.org/assignments/iana-ipv6-special-registry */
const notPublicV6 = ['2001::/23', '2001:db8::/32', '3fff::/20'] as const;

/** Addresses that carry one of IPv4 and lead there: mapped, NAT64 and 6to4, with the group at which it begins. */
const carriers = [
  { prefix: [0, 0, 0, 0, 0, 0xffff], at: 6 },
  { prefix: [0x64, 0xff9b, 0, 0, 0, 0], at: 6 },
  { prefix: [0x2002], at: 1 },
] as const;

const refusedV4 = blocksOf(notPublicV4);
const refusedV6 = blocksOf(notPublicV6);

/** Decides which addresses may be connected to: public ones, and those that the configuration names. */
export class AddressGuard {
  readonly #hosts: ReadonlySet<string>;
  readonly #blocks: BlockList;
  readonly #resolve: (hostname: string) => Promise<readonly LookupAddress[]>;

  /** @throws Fault `config-invalid` for an entry that is none */
  constructor({ allow, resolve = (hostname) => lookUp(hostname, { all: true }) }: AddressGuardOptions) {
    const entries = allow.map((entry) => entry.toLowerCase().replace(/^\[(.*)\]$/, '$1'));
    const isBlock = (entry: string): boolean => entry.includes('/') || isIP(entry) !== 0;
    this.#blocks = blocksOf(entries.filter(isBlock));
    this.#hosts = new Set(entries.filter((entry) => !isBlock(entry)));
    this.#resolve = resolve;
  }

  /** Whether a URL's host, where it is an address, may be connected to; a name is judged by what it resolves to. */
  mayTry(hostname: string): boolean {
    const host = bare(hostname);
    return isIP(host) === 0 || this.#hosts.has(host) || this.isAllowed(host);
  }

  /** The addresses of a host that may be connected to. @throws Fault `forbidden` when there are none */
  async addressesOf(hostname: string): Promise<LookupAddress[]> {
    const addresses = await this.#resolve(hostname);
    const isNamed = this.#hosts.has(bare(hostname));
    const allowed = isNamed ? [...addresses] : addresses.filter(({ address }) => this.isAllowed(address));
    if (allowed.length === 0) throw new Fault('forbidden', 'the receiver’s address is not a public one');
    return allowed;
  }

  isAllowed(address: string): boolean {
    const carried = carriedV4(address);
    const isMapped = carried !== undefined && groupsOf(address)?.[5] === 0xffff;
    return this.#isListed(address) || (isMapped && this.#isListed(carried)) || isPublic(address, carried);
  }

  #isListed(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#blocks.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

function isPublic(address: string, carried: string | undefined): boolean {
  if (carried !== undefined) return isPublic(carried, undefined);
  if (isIP(address) === 4) return !refusedV4.check(address, 'ipv4');
  const first = groupsOf(address)?.[0];
  return first !== undefined && first >> 13 === 1 && !refusedV6.check(address, 'ipv6');
}

function carriedV4(address: string): string | undefined {
  const groups = isIP(address) === 6 ? groupsOf(address) : undefined;
  const carrier = carriers.find(({ prefix }) => prefix.every((group, at) => groups?.[at] === group));
  if (groups === undefined || carrier === undefined) return undefined;
  const [high = 0, low = 0] = groups.slice(carrier.at);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The eight groups of an IPv6 address; undefined for one with a zone, which is never public. */
function groupsOf(address: string): number[] | undefined {
  if (!URL.canParse(`http://[${address}]`)) return undefined;
  // As the URL standard writes it: hexadecimal alone, with the zeros left out once.
  const [head = '', tail] = bare(new URL(`http://[${address}]`).hostname).split('::');
  const [start, end] = [head, tail ?? ''].map((part) =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)),
  ) as [number[], number[]];
  return [...start, ...Array.from({ length: 8 - start.length - end.length }, () => 0), ...end];
}

function bare(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
}

function blocksOf(entries: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    const prefix = bits === undefined ? most : Number(bits);
    if (family === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > most || bits === '') {
      throw new Fault('config-invalid', `${entry} is no host, address or CIDR block`);
    }
    blocks.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return blocks;
}
