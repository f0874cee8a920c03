// Modes and configuration options of a session: what the agent's card offers, and what the thread's people chose.
// https://agentclientprotocol.com/protocol/v1/session-config-options, …/session-modes
import type * as acp from '@agentclientprotocol/sdk';
import type { AgentCard, AgentMode, AgentOption } from '../../schemas/agent-card.ts';
import type { ThreadPatch } from '../../schemas/control.ts';
import type { ThreadSettings } from '../../schemas/thread.ts';
import { Fault } from '../../src/fault.ts';

type SettingsChange = NonNullable<ThreadPatch['settings']>;

/** The option that is the session's mode; clients prefer options to modes, and are shown both. */
const modeOption = 'mode';

/** What a prompt may hold beside text and links. */
export function encodePromptCapabilities({ capabilities: { input } }: AgentCard): acp.PromptCapabilities {
  return { image: input.includes('image'), audio: input.includes('audio'), embeddedContext: true };
}

export function encodeModes({ modes }: AgentCard, { mode }: ThreadSettings): acp.SessionModeState | undefined {
  const [first] = modes ?? [];
  if (modes === undefined || first === undefined) return undefined;
  const current = modes.find(({ id }) => id === mode) ?? first;
  return {
    currentModeId: current.id,
    availableModes: modes.map(({ id, name, description }) => ({ id, name, ...(description && { description }) })),
  };
}

/** The whole list, always. A client without boolean options chooses between two names. */
export function encodeOptions(
  card: AgentCard,
  settings: ThreadSettings,
  hasBooleans: boolean,
): acp.SessionConfigOption[] | undefined {
  const modes = encodeModes(card, settings);
  if (modes === undefined && card.options === undefined) return undefined;
  const options = (card.options ?? []).map((option) => encodeOption(option, settings.options[option.id], hasBooleans));
  if (modes === undefined) return options;
  const mode: acp.SessionConfigOption = {
    type: 'select',
    id: modeOption,
    name: 'Mode',
    category: 'mode',
    currentValue: modes.currentModeId,
    options: (card.modes ?? []).map(encodeChoice),
  };
  return [mode, ...options];
}

function encodeOption(option: AgentOption, chosen: unknown, hasBooleans: boolean): acp.SessionConfigOption {
  const { id, name, description, category } = option;
  const about = { id, name, ...(description && { description }), ...(category && { category }) };
  switch (option.type) {
    case 'select': {
      const options = option.choices.map(encodeChoice);
      const known = options.find(({ value }) => value === chosen);
      return { type: 'select', ...about, currentValue: known?.value ?? option.default, options };
    }
    case 'boolean': {
      const currentValue = typeof chosen === 'boolean' ? chosen : option.default;
      if (hasBooleans) return { type: 'boolean', ...about, currentValue };
      return { type: 'select', ...about, currentValue: currentValue ? 'on' : 'off', options: onOrOff };
    }
  }
}

function encodeChoice({ id: value, name, description }: AgentMode): acp.SessionConfigSelectOption {
  return { value, name, ...(description && { description }) };
}

const onOrOff = [
  { value: 'on', name: 'On' },
  { value: 'off', name: 'Off' },
];

/** @throws Fault `invalid-request`: the agent has no such mode */
export function decodeMode({ modes = [] }: AgentCard, mode: string, path = 'modeId'): SettingsChange {
  if (!modes.some(({ id }) => id === mode)) {
    const known = modes.map(({ id }) => id).join(', ') || 'none';
    throw new Fault('invalid-request', `${path}: the agent’s modes are ${known}`, { path });
  }
  return { mode };
}

/** @throws Fault `invalid-request`: the agent has no such option, or it has no such value */
export function decodeOption(card: AgentCard, id: string, value: string | boolean): SettingsChange {
  if (id === modeOption && card.modes !== undefined) return decodeMode(card, String(value), 'value');
  const option = card.options?.find((one) => one.id === id);
  if (option === undefined) {
    const known = (card.options ?? []).map((one) => one.id).join(', ') || 'none';
    throw new Fault('invalid-request', `configId: the agent’s options are ${known}`, { path: 'configId' });
  }
  const chosen = option.type === 'boolean' ? asBoolean(value) : option.choices.find((one) => one.id === value)?.id;
  if (chosen === undefined) throw new Fault('invalid-request', `value: ${id} cannot be that`, { path: 'value' });
  return { options: { [id]: chosen } };
}

function asBoolean(value: string | boolean): boolean | undefined {
  if (typeof value === 'boolean') return value;
  return value === 'on' ? true : value === 'off' ? false : undefined;
}
