import type { ServerResponse } from 'node:http'
import type { Sink } from './event-stream.ts'

/** The answer of Node's HTTP server. */
export function nodeSink(response: ServerResponse, gone: () => void): Sink {
  response.once('close', gone)
  // A client that goes away while something is written is no fault of the process.
  response.on('error', () => undefined)
  return {
    write(text) {
      if (!response.destroyed && !response.writableEnded) response.write(text)
    },
    buffered: () => response.writableLength,
    end: () =>
      new Promise((resolve) => {
        if (response.destroyed || response.writableFinished) return resolve()
        response.once('close', resolve)
        response.end(() => resolve())
      }),
    cut: () => void response.destroy(),
    get isGone() {
      return response.destroyed
    },
  }
}
