// The stream of news. It belongs to the session: what ends the session ends the stream, and the page asks again and is told why.
import { eventsIn } from '../../../shared/page/events-in.ts'
import type { News } from '../../shared/types.ts'
import { client, renew } from './client.ts'

/** `connected`: something may have been missed before. */
export type Word = News | { readonly kind: 'connected' }

const listeners = new Set<(word: Word) => void>()
const tell = (word: Word) => {
  for (const listener of listeners) listener(word)
}

/** Calls `listener` with all news. Returns what ends that. */
export function onNews(listener: (word: Word) => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Keeps the stream open, until the answer is called. */
export function keepListening(): () => void {
  const aborter = new AbortController()
  void listen(aborter.signal)
  return () => aborter.abort()
}

async function listen(signal: AbortSignal): Promise<void> {
  for (let pauseMs = 0; !signal.aborted; pauseMs = Math.min(pauseMs * 2 + 250, 10_000)) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random() / 2)))
    try {
      // A 401 says why the session is over, and the client of the session acts on it.
      const response = await client.authFetch('/api/live', { signal })
      if (!response.ok || !response.body) continue
      tell({ kind: 'connected' })
      for await (const { event, data } of eventsIn(response.body)) {
        pauseMs = 0
        if (event === 'news') hear(JSON.parse(data))
        // Roles were lost, or have come with a refresh.
        if (event === 'session-changed') void renew()
      }
    } catch {
      // No network, or the server has gone: again, later.
    }
  }
}

function hear(news: News): void {
  if (news.kind !== 'renew') return void tell(news)
  void renew()
  // A role is gained by a rotation, and there is one in ten seconds at most.
  setTimeout(() => client.state.status === 'signed_in' && void renew(), 10_500)
}
