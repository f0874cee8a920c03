// What an agent says of itself, as AG-UI capabilities. https://docs.ag-ui.com/concepts/capabilities
import type { AgentCapabilities } from '@ag-ui/core';
import type { AgentCard } from '../../schemas/agent-card.ts';

/** What is left out is undeclared. `resumable` is: no standard binding has a mechanism behind it. */
export function encodeCapabilities({ id, name, description, version, capabilities }: AgentCard): AgentCapabilities {
  const { input, reasoning, tools, clientTools, state, approvals, subagents } = capabilities;
  return {
    identity: { name, type: 'anyport', description, version, metadata: { agentId: id } },
    transport: { streaming: true },
    tools: { supported: tools || clientTools, clientProvided: clientTools },
    state: { snapshots: state, deltas: state, persistentState: true },
    multiAgent: { supported: subagents },
    reasoning: { supported: reasoning, streaming: reasoning },
    multimodal: {
      input: {
        image: input.includes('image'),
        audio: input.includes('audio'),
        video: input.includes('video'),
        pdf: input.includes('document'),
        file: input.includes('document'),
      },
    },
    humanInTheLoop: { supported: approvals, approvals, interrupts: approvals },
  };
}
