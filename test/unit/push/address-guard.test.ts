import { describe, expect, it } from 'vitest';
import { AddressGuard } from '../../../src/push/address-guard.ts';
import { refusal } from '../../support/lane-driver.ts';

const guard = new AddressGuard({ allow: [] });

describe('an address', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:10.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    '2002:c0a8:101::1',
    '3fff::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%eth0',
    '2606:4700::1%eth0',
    'fec0::1',
    'ff02::1',
    'not an address',
  ])('%s is not to be connected to', (address) => {
    expect(guard.isAllowed(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '223.255.255.255',
    '2606:4700:4700::1111',
    '::ffff:1.1.1.1',
    '64:ff9b::101:101',
    '2002:101:101::1',
  ])('%s is public', (address) => {
    expect(guard.isAllowed(address)).toBe(true);
  });

  it('that is allowed by name or block may be connected to, and its neighbours may not', () => {
    const allowing = new AddressGuard({ allow: ['127.0.0.0/30', '10.0.0.9', 'fd00::/8', '[::1]'] });
    for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '10.0.0.9', 'fd00:1::2', '::1']) {
      expect([address, allowing.isAllowed(address)]).toEqual([address, true]);
    }
    for (const address of ['127.0.0.4', '10.0.0.8', 'fc00::1', '::2', '2002:7f00:1::1', '64:ff9b::127.0.0.1']) {
      expect([address, allowing.isAllowed(address)]).toEqual([address, false]);
    }
  });

  it.each(['10.0.0.0/33', '10.0.0.0/', '::/129', '10.0.0/8', 'fd00::/x'])('is not %s', (entry) => {
    expect(refusal(() => new AddressGuard({ allow: [entry] }))).toBe('config-invalid');
  });
});

describe('a name', () => {
  const named = (...addresses: string[]): AddressGuard =>
    new AddressGuard({
      allow: ['inside.example'],
      resolve: async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    });

  it('leads to those of its addresses that are public', async () => {
    expect(await named('10.0.0.1', '1.1.1.1', '::1').addressesOf('hook.example')).toEqual([
      { address: '1.1.1.1', family: 4 },
    ]);
  });

  it('leads nowhere when none is', async () => {
    await expect(named('10.0.0.1', '::1').addressesOf('hook.example')).rejects.toMatchObject({ code: 'forbidden' });
    await expect(named().addressesOf('inside.example')).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('that is allowed leads anywhere', async () => {
    expect(await named('10.0.0.1').addressesOf('Inside.example')).toEqual([{ address: '10.0.0.1', family: 4 }]);
  });
});
