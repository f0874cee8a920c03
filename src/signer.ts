/** A signature as JWS says it, its three parts in base64url. https://www.rfc-editor.org/rfc/rfc7515 */
export interface Jws {
  readonly protected: string;
  readonly payload: string;
  readonly signature: string;
}

/** Signs in the gateway's own name, with a key whose public half whoever wants to check can get. */
export interface Signer {
  /** The protected header gets the algorithm and the id of the key beside what is given. */
  sign(payload: Uint8Array, header: { readonly typ: string; readonly jku?: string }): Promise<Jws>;
}
