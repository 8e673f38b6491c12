import { CountersignError } from '../internal/errors.ts'
import type { SessionId } from '../session/ids.ts'
import type { WatchedEnd } from '../session/types.ts'
import { checkSessionId } from './check-id.ts'
import type { RecordListener } from './followed.ts'
import type { Follower } from './follower.ts'

/** `Records.watch`. An outage ends nothing. */
export async function* watch(
  follower: Follower,
  ids: Iterable<SessionId>,
  signal: AbortSignal,
): AsyncGenerator<WatchedEnd> {
  const watched = new Set(ids)
  for (const id of watched) checkSessionId(id)
  const ends: WatchedEnd[] = []
  let fault: unknown
  let wake = () => {}
  const listenerOf = (id: SessionId): RecordListener => ({
    live: () => undefined,
    unsure: () => undefined,
    over({ endedBy, reason }) {
      ends.push({ id, endedBy: endedBy ?? reason })
      wake()
    },
    failed(error) {
      // A store that is closed will never answer again.
      if (!(error instanceof CountersignError) || error.code !== 'ERR_CLOSED') return
      fault = error
      wake()
    },
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  const leave = signal.aborted ? [] : [...watched].map((id) => follower.add(id, listenerOf(id)))
  try {
    while (watched.size > 0 && !signal.aborted) {
      const end = ends.shift()
      if (end) {
        watched.delete(end.id)
        yield end
      } else if (fault !== undefined) throw fault
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    for (const one of leave) one()
  }
}
