export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/**
 * Server-sent events as far as our servers use them, read with `fetch`: an `EventSource` could not carry the access token, which is
 * in memory only. Whoever stops reading ends the connection.
 */
export async function* eventsIn(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<ServerEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const blocks = (rest + value).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const field = (name: string) =>
          block
            .split('\n')
            .filter((line) => line.startsWith(`${name}: `))
            .map((line) => line.slice(name.length + 2))
            .join('\n')
        const event = field('event')
        if (event !== '') yield { event, data: field('data') }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
