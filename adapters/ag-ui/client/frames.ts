// https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
// https://docs.ag-ui.com/spec/1.0/basic/transports/http-sse: lines end with LF alone

/**
 * The frames of an event stream as their text, those that came together at once. What the end of the body cuts off is
 * dropped. Leaving the loop closes the connection.
 * @throws when the connection breaks, nothing at all comes for `silenceMs`, or `signal` aborts
 */
export async function* readFrames(
  body: ReadableStream<Uint8Array>,
  silence: { readonly silenceMs: number; readonly signal: AbortSignal },
): AsyncGenerator<readonly string[], void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await beforeSilence(reader.read(), silence);
      if (done) return;
      const text = decoder.decode(value, { stream: true });
      rest += text;
      // A long frame comes in many pieces: it is looked through once.
      if (!text.includes('\n')) continue;
      const frames = rest.split('\n\n');
      rest = frames.pop() ?? '';
      if (frames.length > 0) yield frames.map((frame) => `${frame}\n\n`);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** What a frame tells; undefined: it is a comment. */
export function eventOf(frame: string): Readonly<Record<string, unknown>> | undefined {
  const data = /^data: ?(.*)$/m.exec(frame)?.[1];
  return data === undefined ? undefined : (JSON.parse(data) as Readonly<Record<string, unknown>>);
}

/** Where a stream can be gone on with after a frame; undefined: it is no place of the stream. */
export function idOf(frame: string): string | undefined {
  return /^id: ?(.+)$/m.exec(frame)?.[1];
}

/** A peer that vanished without a word would be waited for, for ever; one that lives sends comments. */
export function beforeSilence<Value>(
  next: Promise<Value>,
  { silenceMs, signal }: { readonly silenceMs: number; readonly signal: AbortSignal },
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      reject(new Error(`nothing came for ${silenceMs} ms`));
    }, silenceMs);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    next.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    });
  });
}
