// Signatures of agent cards. https://a2a-protocol.org/v1.0.1/specification/#84-agent-card-signing
import { type AgentCard, canonicalizeAgentCard } from '@a2a-js/sdk';
import type { Signer } from '../../src/signer.ts';
import { encodeCard, encodeLegacyCard, toLegacy, type WireCard } from './card.ts';

export interface CardSigning {
  readonly signer: Signer;
  /** Where its public keys are: a JWK Set. */
  readonly keysUrl: () => string;
}

/** A card, or one as it is served, with its signatures. */
export interface Signatures {
  readonly signatures: { readonly protected: string; readonly signature: string; readonly header: undefined }[];
}

/**
 * One for each form that a reader may bring the card to before it checks: the card as it is served; as 1.0 alone has it;
 * and without what is empty, which the text keeps where it is required and the official SDKs leave out. Theirs for
 * JavaScript takes a card that it has read for one that it is to read, and then misses its security schemes.
 */
export function signaturesOf(served: WireCard, card: AgentCard, signing: CardSigning): Promise<Signatures> {
  const wire = encodeCard(card);
  const texts = [canonicalizeAgentCard(wire as unknown as AgentCard), canonicalizeAgentCard(card)];
  return sign([canonicalJson(served), canonicalJson(wire), ...texts], signing);
}

/** One for each form in which the bindings of 0.3 have a card. */
export async function legacySignaturesOf(card: AgentCard, signing: CardSigning): Promise<Signatures> {
  const forms = await Promise.all([toLegacy(card), encodeLegacyCard(card)]);
  return sign(forms.map(canonicalJson), signing);
}

async function sign(texts: readonly string[], { signer, keysUrl }: CardSigning): Promise<Signatures> {
  const forms = new Set(texts);
  const header = { typ: 'JOSE', jku: keysUrl() };
  const signed = [...forms].map(async (form) => {
    const { protected: encoded, signature } = await signer.sign(new TextEncoder().encode(form), header);
    return { protected: encoded, signature, header: undefined };
  });
  return { signatures: await Promise.all(signed) };
}

/** What JSON can say, in its canonical form. https://www.rfc-editor.org/rfc/rfc8785 */
export function canonicalJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const members = Object.entries(value).filter(([, one]) => one !== undefined);
  const sorted = members.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${sorted.map(([name, one]) => `${JSON.stringify(name)}:${canonicalJson(one)}`).join(',')}}`;
}
