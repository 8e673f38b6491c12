// Server-sent events by `fetch`: an `EventSource` could not carry the access token, which is in memory only.
import { useSession } from 'countersign/browser/react'
import { useEffect, useRef } from 'react'

export interface LiveEvent {
  readonly event: string
  readonly data: string
}

/** Names of the adapter's own events are in `countersign/sse`. */
const OVER = 'session-over'

export function useLive(on: { changed(what: string): void; over(reason: string): void }): void {
  const state = useSession()
  const { authFetch } = state
  const listener = useRef(on)
  listener.current = on
  // A step-up gives the session another id, and the stream ends with the old one.
  const id = state.status === 'signed_in' ? state.session.id : undefined
  useEffect(() => {
    if (id === undefined) return
    const aborter = new AbortController()
    const { signal } = aborter
    const listen = async () => {
      const response = await authFetch('/api/events', { signal })
      if (response.status === 401) return false
      if (!response.ok || !response.body) return true
      // What happened before it was open was told to nobody.
      listener.current.changed('everything')
      for await (const { event, data } of eventsOf(response.body)) {
        if (event === 'changed') listener.current.changed(data)
        if (event !== OVER) continue
        const { reason, reconnect } = JSON.parse(data) as { reason: string; reconnect: boolean }
        if (reconnect) return true
        listener.current.over(reason)
        // The server is asked, which signs this tab out with its reason; where only the token counts it stays.
        await authFetch('/api/me')
        return false
      }
      return true
    }
    void (async () => {
      while (!signal.aborted && (await listen().catch(() => true))) {
        await new Promise((resolve) => setTimeout(resolve, 500 + 500 * Math.random()))
      }
    })()
    return () => aborter.abort()
  }, [id, authFetch])
}

async function* eventsOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<LiveEvent> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    const blocks = (rest + value).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const field = (name: string) =>
        block
          .split('\n')
          .filter((line) => line.startsWith(`${name}: `))
          .map((line) => line.slice(name.length + 2))
          .join('\n')
      if (field('event') !== '') yield { event: field('event'), data: field('data') }
    }
  }
}
