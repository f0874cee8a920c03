// HTTP+JSON of 0.3, which clients that name no version find below `/v1`. What an operation takes and gives is translated
// by the SDK. https://a2a-protocol.org/v0.3.0/specification/#353-httpjsonrest-method-naming
import { LegacyRestTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { Fault } from '../../src/fault.ts';
import { encodeLegacyCard } from './card.ts';
import { encodeLegacyRestError } from './faults.ts';
import { answer } from './http.ts';
import { type Performance, readBody, type RestDialect, stream } from './rest.ts';
import { legacyRouteOf } from './rest-routes.ts';
import { decodeConfig, decodeSend, encodeConfig, encodeEvent, encodeResult, encodeTask } from './wire-v0-3.ts';

const contentType = 'application/json';
const streaming = { encode: encodeEvent, encodeFault: encodeLegacyRestError };

export const restV03: RestDialect = {
  version: '0.3',
  contentType,
  extensionsHeader: 'X-A2A-Extensions',
  routeOf: ([prefix, ...segments]) => (prefix === 'v1' ? legacyRouteOf(segments) : undefined),
  encodeFault: encodeLegacyRestError,
  perform,
};

async function perform(performance: Performance): Promise<void> {
  const { exchange, binding, call, route } = performance;
  const { operation } = route;
  const { request, response, url } = exchange;
  const transport = new LegacyRestTransportHandler(binding.handler);
  const reply = (body: object, status = 200): void => {
    answer(response, { status, body, contentType });
  };
  const readSend = async () => decodeSend(await readBody(exchange, binding));
  switch (operation.is) {
    case 'send':
      return reply(encodeResult(await transport.sendMessage(await readSend(), call)));
    case 'stream':
      return stream(performance, await transport.sendMessageStream(await readSend(), call), streaming);
    case 'subscribe':
      return stream(performance, await transport.resubscribe(operation.id, call), streaming);
    case 'get': {
      const historyLength = url.searchParams.get('historyLength') ?? url.searchParams.get('history_length');
      return reply(encodeTask(await transport.getTask(operation.id, call, historyLength ?? undefined)));
    }
    case 'cancel':
      return reply(encodeTask(await transport.cancelTask(operation.id, call)));
    case 'card':
      return reply(await encodeLegacyCard(await binding.handler.getAuthenticatedExtendedAgentCard({}, call)));
    case 'push': {
      const { id } = operation;
      if (request.method === 'POST') {
        const config = decodeConfig(await readBody(exchange, binding), id);
        return reply(encodeConfig(await transport.setTaskPushNotificationConfig(config, call)), 201);
      }
      return reply({ configs: (await transport.listTaskPushNotificationConfigs(id, call)).map(encodeConfig) });
    }
    case 'push-config': {
      const { id, configId } = operation;
      if (request.method === 'GET') {
        return reply(encodeConfig(await transport.getTaskPushNotificationConfig(id, configId, call)));
      }
      await transport.deleteTaskPushNotificationConfig(id, configId, call);
      return answer(response, { status: 204, body: undefined, contentType });
    }
    case 'list':
      // The text names its path; the definition has nothing that it would take or give.
      throw new Fault('unsupported', 'tasks are listed from version 1.0 on');
  }
}
