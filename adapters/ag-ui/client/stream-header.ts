/** The header of an answer that says where its stream can be gone on with: a path. */
export const streamHeader = 'anyport-stream';
