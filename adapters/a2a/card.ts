// Agent cards, from what an agent says of itself and from how callers reach this gateway.
// https://a2a-protocol.org/v1.0.1/specification/#8-agent-discovery-the-agent-card
import { AgentCard } from '@a2a-js/sdk';
import { LegacyRestTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { duplicateInterfacesForLegacy } from '@a2a-js/sdk/compat/v0_3';
import { type A2ARequestHandler, ServerCallContext } from '@a2a-js/sdk/server';
import * as z from 'zod';
import type { AgentCard as Agent } from '../../schemas/agent-card.ts';
import { JsonObject } from '../../schemas/json.ts';

export const a2aPrefix = '/a2a';

/** The private extension under which questions and answers are exchanged as data parts. */
export const questionsExtension = 'urn:anyport:a2a:questions:v1';

export interface CardSurroundings {
  /** How callers reach the gateway, without a slash at the end. */
  readonly baseUrl: string;
  /** Host and port where gRPC is served; undefined: it is not. */
  readonly grpcAddress: string | undefined;
  /** Of the agent of callers who name none. */
  readonly defaultAgentId: string | undefined;
  readonly needsToken: boolean;
  /** Whether callers may have webhooks told. */
  readonly pushes: boolean;
}

/** What an agent's card may say of A2A in its metadata. */
const Said = z.object({
  extensions: z
    .array(
      z.object({
        uri: z.string(),
        description: z.string().default(''),
        required: z.boolean().default(false),
        params: JsonObject.optional(),
      }),
    )
    .default([]),
  outputModes: z.array(z.string()).default([]),
});

const mediaTypes = {
  image: ['image/*'],
  audio: ['audio/*'],
  video: ['video/*'],
  document: ['application/*', 'text/*'],
} as const;

const usualOutputModes = ['text/plain', 'application/json'];

/** What an agent understands, as media types and ranges of them. */
export function inputModesOf({ capabilities }: Agent): string[] {
  return ['text/plain', 'application/json', ...capabilities.input.flatMap((kind) => mediaTypes[kind])];
}

/** What an agent answers in: words and data, and what else it says of itself. */
export function outputModesOf(agent: Agent): string[] {
  return [...new Set([...usualOutputModes, ...saidOf(agent).outputModes])];
}

function saidOf({ metadata }: Agent): z.infer<typeof Said> {
  const said = Said.safeParse(metadata?.['a2a'] ?? {});
  return said.success ? said.data : Said.parse({});
}

export function urlOf(agent: Agent, { baseUrl }: CardSurroundings): string {
  return `${baseUrl}${a2aPrefix}/${encodeURIComponent(agent.id)}`;
}

export function cardOf(agent: Agent, surroundings: CardSurroundings): AgentCard {
  const url = urlOf(agent, surroundings);
  const interfaces = ['JSONRPC', 'HTTP+JSON'].map((protocolBinding) => ({
    url,
    protocolBinding,
    tenant: '',
    protocolVersion: '1.0',
  }));
  const extensions = saidOf(agent).extensions.map((one) => ({ ...one, params: one.params }));
  return {
    name: agent.name,
    description: agent.description,
    version: agent.version,
    provider: undefined,
    supportedInterfaces: [
      ...duplicateInterfacesForLegacy(interfaces, ['JSONRPC', 'HTTP+JSON']),
      ...grpcInterfaces(agent, surroundings),
    ],
    capabilities: {
      streaming: true,
      pushNotifications: surroundings.pushes,
      extendedAgentCard: surroundings.needsToken,
      extensions: [
        {
          uri: questionsExtension,
          description: 'Open questions are data parts of the status message; an answer names its question by ticketId.',
          required: false,
          params: undefined,
        },
        ...extensions,
      ],
    },
    securitySchemes: surroundings.needsToken ? { bearer: bearerScheme } : {},
    securityRequirements: surroundings.needsToken ? [{ schemes: { bearer: { list: [] } } }] : [],
    defaultInputModes: inputModesOf(agent),
    defaultOutputModes: outputModesOf(agent),
    skills: agent.skills.map(({ id, name, description, tags = [], examples = [] }) => ({
      id,
      name,
      description,
      tags,
      examples,
      inputModes: [],
      outputModes: [],
      securityRequirements: [],
    })),
    signatures: [],
  };
}

/** gRPC has no paths: there an agent is a tenant. 0.3 knows no tenants either, and has the default agent alone. */
function grpcInterfaces(
  { id: tenant }: Agent,
  { grpcAddress: url, defaultAgentId }: CardSurroundings,
): AgentCard['supportedInterfaces'] {
  if (url === undefined) return [];
  const current = { url, protocolBinding: 'GRPC', tenant, protocolVersion: '1.0' };
  return tenant === defaultAgentId ? [current, { ...current, tenant: '', protocolVersion: '0.3' }] : [current];
}

const bearerScheme = {
  scheme: {
    $case: 'httpAuthSecurityScheme' as const,
    value: { description: 'A token of this gateway’s configuration.', scheme: 'bearer', bearerFormat: '' },
  },
};

export type WireCard = Record<string, unknown>;

/** The card as 1.0 has it, its required members always in. */
export function encodeCard(card: AgentCard): WireCard {
  const wire = AgentCard.toJSON(card) as WireCard;
  const { name, description, version } = card;
  const skills = card.skills.map((skill, index) => ({
    ...(wire['skills'] as WireCard[] | undefined)?.[index],
    description: skill.description,
    tags: skill.tags,
  }));
  return { ...wire, name, description, version, skills, capabilities: wire['capabilities'] ?? {} };
}

/**
 * The card for readers who do not say which version they speak: 0.3's members and 1.0's side by side. Only security
 * schemes have one name and two shapes; each of them here is both.
 */
export async function encodeHybridCard(card: AgentCard): Promise<WireCard> {
  const legacy = (await toLegacy(card)) as unknown as WireCard;
  const wire = encodeCard(card);
  const old = (legacy['securitySchemes'] ?? {}) as Record<string, object>;
  const fresh = (wire['securitySchemes'] ?? {}) as Record<string, object>;
  const names = Object.keys(fresh);
  const securitySchemes = Object.fromEntries(names.map((name) => [name, { ...fresh[name], ...old[name] }]));
  return { ...legacy, ...wire, ...(names.length > 0 ? { securitySchemes } : {}) };
}

/** The card as HTTP+JSON of 0.3 has it, whose security schemes have the shapes of 1.0 already. */
export async function encodeLegacyCard(card: AgentCard): Promise<WireCard> {
  const { securitySchemes, securityRequirements: security } = encodeCard(card);
  return { ...(await toLegacy(card)), securitySchemes, security };
}

/** The SDK translates cards on their way out of a handler alone. */
export function toLegacy(card: AgentCard): Promise<object> {
  const handler = { getAuthenticatedExtendedAgentCard: () => Promise.resolve(card) } as unknown as A2ARequestHandler;
  return new LegacyRestTransportHandler(handler).getAuthenticatedExtendedAgentCard(new ServerCallContext());
}
