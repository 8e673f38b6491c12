import type { Sink } from './event-stream.ts'

/**
 * A `ReadableStream` that takes what is written, without limit: who writes looks at `buffered`.
 *
 * @param signal - Of the request: its client has gone when this is aborted, perhaps while the store was asked.
 */
export function webSink(
  signal: AbortSignal,
  gone: () => void,
): { readonly body: ReadableStream<Uint8Array>; readonly sink: Sink } {
  const encoder = new TextEncoder()
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let isOver = false
  const body = new ReadableStream<Uint8Array>(
    {
      start(one) {
        controller = one
      },
      cancel() {
        isOver = true
        gone()
      },
    },
    { highWaterMark: 1, size: (chunk) => chunk.byteLength },
  )
  const queued = () => 1 - (controller.desiredSize ?? 1)
  const close = () => {
    if (isOver) return
    isOver = true
    // What is queued is still read, by whoever has the stream; nothing else comes.
    controller.close()
  }
  const leave = () => {
    close()
    gone()
  }
  if (signal.aborted) close()
  else signal.addEventListener('abort', leave, { once: true })
  return {
    body,
    sink: {
      write(text) {
        if (!isOver) controller.enqueue(encoder.encode(text))
      },
      buffered: () => (isOver ? 0 : queued()),
      end() {
        close()
        return Promise.resolve()
      },
      cut() {
        if (isOver) return
        isOver = true
        controller.error(new Error('the stream was cut off'))
      },
      isGone: signal.aborted,
    },
  }
}
