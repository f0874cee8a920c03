import { describe, expect, it } from 'vitest';
import { isLoopback, Perimeter, type Surroundings } from '../../src/server/perimeter.ts';

const atHome: Surroundings = { host: '127.0.0.1', publicUrl: undefined, allowedHosts: [], allowedOrigins: [] };
const reachable: Surroundings = {
  host: '0.0.0.0',
  publicUrl: 'https://agents.example.com/anyport',
  allowedHosts: ['gateway.internal'],
  allowedOrigins: ['https://app.example.com'],
};

function checkIn(surroundings: Surroundings, host: string, origin?: string): () => void {
  return () => {
    new Perimeter(surroundings).check(host, origin === undefined ? {} : { origin });
  };
}

const forbidden = expect.objectContaining({ code: 'forbidden' }) as Error;

describe('the names a gateway is called by', () => {
  it.each(['localhost', 'LOCALHOST', 'localhost.', '127.0.0.1', '127.8.9.1', '[::1]'])('include %s', (host) => {
    expect(checkIn(atHome, host)).not.toThrow();
    expect(checkIn(reachable, host)).not.toThrow();
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', ''])('do not include %j', (host) => {
    expect(checkIn(atHome, host)).toThrow(forbidden);
    expect(checkIn(reachable, host)).toThrow(forbidden);
  });

  it.each(['agents.example.com', 'gateway.internal', 'Gateway.Internal', '192.168.1.5', '[fd00::5]'])(
    'include %s only where that is configured',
    (host) => {
      expect(checkIn(atHome, host)).toThrow(forbidden);
      expect(checkIn(reachable, host)).not.toThrow();
    },
  );
});

describe('the pages that may call', () => {
  it.each(['http://localhost:3000', 'https://127.0.0.1', 'http://[::1]:5173', 'tauri://localhost'])(
    'include those of this machine: %s',
    (origin) => {
      expect(checkIn(atHome, 'localhost', origin)).not.toThrow();
    },
  );

  it.each(['https://app.example.com', 'https://agents.example.com'])('include the configured %s', (origin) => {
    expect(checkIn(reachable, 'agents.example.com', origin)).not.toThrow();
    expect(checkIn(atHome, 'localhost', origin)).toThrow(forbidden);
  });

  it.each(['null', 'https://evil.example', 'http://app.example.com', 'https://localhost.evil.example', 'localhost'])(
    'do not include %s',
    (origin) => {
      expect(checkIn(reachable, 'localhost', origin)).toThrow(forbidden);
    },
  );
});

describe('an address that only this machine can reach', () => {
  it.each([
    ['localhost', true],
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.example.com', false],
    ['10.0.0.1', false],
  ])('%s: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
