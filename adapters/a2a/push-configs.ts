// Push notification configurations: webhooks that a caller has for a task of its own.
// https://a2a-protocol.org/v1.0.1/specification/#43-push-notification-objects
import type {
  DeleteTaskPushNotificationConfigRequest,
  GetTaskPushNotificationConfigRequest,
  ListTaskPushNotificationConfigsRequest,
  ListTaskPushNotificationConfigsResponse,
  TaskPushNotificationConfig,
} from '@a2a-js/sdk';
import { PushNotificationNotSupportedError, TaskNotFoundError } from '@a2a-js/sdk/errors';
import type { RunId } from '../../schemas/id.ts';
import type { PushFilter, PushTarget, Subscription } from '../../schemas/subscription.ts';
import { Fault } from '../../src/fault.ts';
import type { Gateway, Receipt, SubscriptionInput } from '../../src/gateway.ts';
import type { Call } from './call.ts';
import { Violations } from './faults.ts';
import type { Tasks } from './tasks.ts';
import { chooseVersion } from './version.ts';

export interface PushConfigsOptions {
  readonly gateway: Gateway;
  readonly tasks: Tasks;
  /** What is told of a task; undefined: nothing is sent from here. */
  readonly events: PushFilter | undefined;
}

/** Before the fields of a configuration that came inside of a message's request. */
export const inline = 'configuration.taskPushNotificationConfig';

const longestPage = 100;

export class PushConfigs {
  readonly #options: PushConfigsOptions;

  constructor(options: PushConfigsOptions) {
    this.#options = options;
  }

  /** @throws what `create` would say of the configuration, before anything is written */
  check(call: Call, config: TaskPushNotificationConfig, at = ''): void {
    this.#filter();
    naming(at, () => {
      this.#options.gateway.subscriptions.check(call.caller, targetOf(config));
    });
  }

  async create(call: Call, config: TaskPushNotificationConfig): Promise<TaskPushNotificationConfig> {
    this.check(call, config);
    const { report } = await this.#options.tasks.get(call.caller, config.taskId);
    return this.#subscribe(call, report.run.id, config);
  }

  /** The configuration that came with a message, which tells what came of it from its first event. */
  async follow(call: Call, receipt: Receipt, config: TaskPushNotificationConfig): Promise<void> {
    const { runId, activation, was } = receipt;
    try {
      await this.#subscribe(call, runId, config, activation.afterSeq);
    } catch (thrown) {
      // A message that is sent again finds its task ended, and told.
      if (was === 'accepted' || Fault.from(thrown).code !== 'run-ended') throw thrown;
    }
  }

  async #subscribe(
    call: Call,
    runId: RunId,
    config: TaskPushNotificationConfig,
    after?: number,
  ): Promise<TaskPushNotificationConfig> {
    const filter = this.#filter();
    const codec = chooseVersion(call.requestedVersion, ['1.0', '0.3']);
    // Whoever gives it no name has one for each task.
    const input: SubscriptionInput = { id: config.id || runId, target: targetOf(config), filter, codec, after };
    return encodeConfig(await this.#options.gateway.subscriptions.create(call.caller, runId, input));
  }

  async get(call: Call, { taskId, id }: GetTaskPushNotificationConfigRequest): Promise<TaskPushNotificationConfig> {
    this.#filter();
    await this.#options.tasks.get(call.caller, taskId);
    const found = await this.#options.gateway.subscriptions.find(call.caller, taskId, id || taskId);
    if (found !== undefined) return encodeConfig(found);
    throw new TaskNotFoundError({ message: `the task has no configuration ${id}`, metadata: { taskId } });
  }

  /** By id. A page's token is the last id on it. */
  async list(
    call: Call,
    { taskId, pageSize, pageToken }: ListTaskPushNotificationConfigsRequest,
  ): Promise<ListTaskPushNotificationConfigsResponse> {
    this.#filter();
    if (!Number.isInteger(pageSize) || pageSize < 0) {
      throw new Violations([{ field: 'pageSize', description: 'must be a whole number from 0' }]);
    }
    await this.#options.tasks.get(call.caller, taskId);
    const after = Buffer.from(pageToken, 'base64url').toString();
    const all = await this.#options.gateway.subscriptions.list(call.caller, taskId);
    const rest = all.toSorted((a, b) => (a.id < b.id ? -1 : 1)).filter(({ id }) => id > after);
    const page = rest.slice(0, Math.min(pageSize || longestPage, longestPage));
    const last = page.at(-1)?.id;
    const nextPageToken =
      last === undefined || page.length === rest.length ? '' : Buffer.from(last).toString('base64url');
    return { configs: page.map(encodeConfig), nextPageToken };
  }

  async remove(call: Call, { taskId, id }: DeleteTaskPushNotificationConfigRequest): Promise<void> {
    this.#filter();
    await this.#options.tasks.get(call.caller, taskId);
    await this.#options.gateway.subscriptions.remove(call.caller, taskId, id || taskId);
  }

  #filter(): PushFilter {
    const { events } = this.#options;
    if (events !== undefined) return events;
    throw new PushNotificationNotSupportedError();
  }
}

function targetOf({ url, token, authentication }: TaskPushNotificationConfig): PushTarget {
  const { scheme = '', credentials = '' } = authentication ?? {};
  return {
    url,
    ...(token === '' ? {} : { token }),
    ...(scheme === '' && credentials === ''
      ? {}
      : { authentication: { scheme, ...(credentials === '' ? {} : { credentials }) } }),
  };
}

function encodeConfig({ id, runId: taskId, target }: Subscription): TaskPushNotificationConfig {
  const { url, token = '', authentication } = target;
  const { scheme = '', credentials = '' } = authentication ?? {};
  return {
    tenant: '',
    id,
    taskId,
    url,
    token,
    authentication: authentication === undefined ? undefined : { scheme, credentials },
  };
}

/** The gateway names a target's fields; a request of A2A holds them in the configuration itself. */
function naming(at: string, check: () => void): void {
  try {
    check();
  } catch (thrown) {
    const { code, message, path } = Fault.from(thrown);
    if (code !== 'invalid-request' || path === undefined) throw thrown;
    const field = path.replace(/^target\.?/, at === '' ? '' : `${at}.`);
    throw new Violations([{ field, description: message }]);
  }
}
