// What the server tells this page, for as long as its session lasts.
import { useSession } from 'countersign/browser/react'
import { useEffect, useRef } from 'react'
import { eventsIn } from '../../../shared/page/events-in.ts'

/** Names of the adapter's own events are in `countersign/sse`. */
const OVER = 'session-over'
const FIRST_PAUSE_MS = 1_000

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
    let pauseMs = FIRST_PAUSE_MS
    const listen = async () => {
      const response = await authFetch('/api/events', { signal })
      if (response.status === 401) return false
      if (!response.ok || !response.body) return true
      pauseMs = FIRST_PAUSE_MS
      // What happened before it was open was told to nobody.
      listener.current.changed('everything')
      for await (const { event, data } of eventsIn(response.body)) {
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
        // Not all pages at the same moment, and ever more slowly while there is nobody to answer.
        await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)))
        pauseMs = Math.min(pauseMs * 2, 10_000)
      }
    })()
    return () => aborter.abort()
  }, [id, authFetch])
}
