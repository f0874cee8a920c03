// Frame ids: SSE's `id:` is free for a producer's own use. https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse
import type { ActivationId } from '../../schemas/id.ts';
import type { ProfileName } from './profile.ts';

/**
 * What all frame ids of one stream begin with: whom it tells, in which words, of which generation of the log. An id is
 * completed by `{seq}.{frame}`, the event's number and the frame's place among those of its event. Opaque outside.
 */
export function encodeCursorHead(
  { activation, logId }: { readonly activation: ActivationId; readonly logId: string },
  profile: ProfileName,
): string {
  return `${Buffer.from(`${profile}:${logId}:${activation}`).toString('base64url')}.`;
}
