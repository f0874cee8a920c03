// https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Clock } from '../clock.ts';

/**
 * The frames of an event stream, whatever pieces it arrives in. A frame that the end of the body cuts is dropped: it
 * comes again. Leaving the loop closes the connection.
 * @throws when the connection breaks, or nothing at all comes for `silenceMs`
 */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  { clock, silenceMs }: { readonly clock: Clock; readonly silenceMs: number },
): AsyncGenerator<EventSourceMessage> {
  const frames: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (frame) => void frames.push(frame) });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await beforeSilence(reader.read(), clock, silenceMs);
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* frames.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** A peer that vanished without a word would be waited for, for ever; one that lives sends comments. */
function beforeSilence<Value>(next: Promise<Value>, clock: Clock, silenceMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.at(clock.now() + silenceMs, () => {
      reject(new Error(`nothing came for ${silenceMs} ms`));
    });
    next.then(resolve, reject).finally(cancel);
  });
}
