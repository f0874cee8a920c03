import * as z from 'zod';
import { AgentCard } from '../../../schemas/agent-card.ts';
import { AgentId } from '../../../schemas/id.ts';
import { Fault } from '../../fault.ts';
import { type Endpoint, endpoint, reply } from './endpoint.ts';

const tag = 'Agents';

export const agentEndpoints: readonly Endpoint[] = [
  endpoint({
    method: 'get',
    path: '/v1/agents',
    operationId: 'listAgents',
    tag,
    summary: 'Lists the agents that are served.',
    description: 'The first one answers where a request names none.',
    answers: { 200: { what: 'All of them.', body: z.object({ items: z.array(AgentCard) }) } },
    async handle({ gateway }) {
      return reply(200, { items: gateway.agents() });
    },
  }),
  endpoint({
    method: 'get',
    path: '/v1/agents/{agentId}',
    operationId: 'getAgent',
    tag,
    summary: 'Says what an agent is and can.',
    params: z.strictObject({ agentId: AgentId.describe('The agent.') }),
    answers: { 200: { what: 'Its card.', body: AgentCard } },
    faults: ['agent-not-found'],
    async handle({ gateway, params: { agentId } }) {
      const card = gateway.findAgent(agentId);
      if (card === undefined) throw new Fault('agent-not-found', `no agent has the id ${agentId}`);
      return reply(200, card);
    },
  }),
];
