// How a webhook is told of its task, in the shapes of the version in which it was asked for.
import { StreamResponse, type Task } from '@a2a-js/sdk';
import { V03PushNotificationSerializer } from '@a2a-js/sdk/compat/v0_3/server';
import { Fault } from '../../src/fault.ts';
import type { Version } from './version.ts';

export interface PushCodec {
  readonly headers: Readonly<Record<string, string>>;
  /** The bodies of what one event brought about, in order. `task`: as it is after that event. */
  readonly encode: (told: readonly NonNullable<StreamResponse['payload']>[], task: () => Task) => string[];
}

const legacy = new V03PushNotificationSerializer();

const codecs: Readonly<Record<Version, PushCodec>> = {
  // Each frame of its stream. https://a2a-protocol.org/v1.0.1/specification/#433-push-notification-payload
  '1.0': {
    headers: { 'Content-Type': 'application/a2a+json', 'A2A-Version': '1.0' },
    encode: (told) => told.map((payload) => JSON.stringify(StreamResponse.toJSON({ payload }))),
  },
  // The whole task each time, and so where its status changed alone.
  // https://a2a-protocol.org/v0.3.0/specification/#95-push-notification-setup-and-usage
  '0.3': {
    headers: { 'Content-Type': 'application/json' },
    encode: (told, task) =>
      told.some(({ $case }) => $case === 'statusUpdate')
        ? [legacy.serialize({ payload: { $case: 'task', value: task() } }).body]
        : [],
  },
};

/** By the name that a subscription has it under; one that has none is told in the shapes of 1.0. @throws Fault `unsupported` */
export function pushCodecOf(name: string = '1.0'): PushCodec {
  if (isVersion(name)) return codecs[name];
  throw new Fault('unsupported', `webhooks are not told in the shapes of ${name}`);
}

function isVersion(name: string): name is Version {
  return Object.hasOwn(codecs, name);
}
