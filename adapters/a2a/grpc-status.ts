// How gRPC carries what went wrong: its status, and a google.rpc.Status with the details in a trailer.
// https://a2a-protocol.org/v1.0.1/specification/#106-error-handling
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { Metadata, type ServiceError, status as codes } from '@grpc/grpc-js';
import { ERROR_INFO_TYPE } from '@a2a-js/sdk/errors';
import { GRPC_STATUS_DETAILS_BIN } from '@a2a-js/sdk/errors/grpc';
import { type Detail, encodeError, type Violation } from './faults.ts';

/** What a call fails with: grpc-js takes it as an error, and as the status of a call that is refused at its start. */
export type GrpcStatus = ServiceError;

export function encodeGrpcStatus(thrown: unknown): GrpcStatus {
  const { status, message, details } = encodeError(thrown);
  const code = codes[status as keyof typeof codes];
  const metadata = new Metadata();
  metadata.set(GRPC_STATUS_DETAILS_BIN, Buffer.from(encodeStatus(code, message, details)));
  return Object.assign(new Error(message), { code, details: message, metadata });
}

/**
 * The SDK exports an encoder for its own errors with an ErrorInfo alone.
 * https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto
 */
function encodeStatus(code: number, message: string, details: readonly Detail[]): Uint8Array {
  const writer = new BinaryWriter();
  writer.uint32(tag(1, varint)).int32(code);
  writer.uint32(tag(2, bytes)).string(message);
  for (const detail of details) {
    const any = new BinaryWriter();
    any.uint32(tag(1, bytes)).string(detail['@type']);
    any.uint32(tag(2, bytes)).bytes(encodeDetail(detail));
    writer.uint32(tag(3, bytes)).bytes(any.finish());
  }
  return writer.finish();
}

/** https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto */
function encodeDetail({ '@type': type, reason, domain, metadata = {}, fieldViolations = [] }: Detail): Uint8Array {
  const writer = new BinaryWriter();
  if (type === ERROR_INFO_TYPE) {
    writer.uint32(tag(1, bytes)).string(reason as string);
    writer.uint32(tag(2, bytes)).string(domain as string);
    for (const entry of Object.entries(metadata as Record<string, string>)) writePair(writer, 3, entry);
    return writer.finish();
  }
  for (const { field, description } of fieldViolations as Violation[]) writePair(writer, 1, [field, description]);
  return writer.finish();
}

/** An entry of a map, or a message of two texts: they look the same. */
function writePair(writer: BinaryWriter, field: number, [first, second]: readonly [string, string]): void {
  const pair = new BinaryWriter();
  pair.uint32(tag(1, bytes)).string(first);
  pair.uint32(tag(2, bytes)).string(second);
  writer.uint32(tag(field, bytes)).bytes(pair.finish());
}

const varint = 0;
const bytes = 2;

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
