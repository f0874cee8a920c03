/** The header of an answer that says where its stream can be gone on with: a URL, relative to the request’s own. */
export const streamHeader = 'anyport-stream';
