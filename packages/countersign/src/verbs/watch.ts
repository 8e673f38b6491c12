import { CountersignError } from '../internal/errors.ts'
import { elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import type { Refused } from '../session/reasons.ts'
import type { SessionRecord } from '../session/record.ts'
import type { WatchedEnd } from '../session/types.ts'
import type { Line } from '../stores/contract.ts'
import { checkSessionId } from './check-id.ts'
import type { Core } from './core.ts'
import { judgeGone, judgeRecord } from './judge.ts'

const LOOK_EVERY_MS = 1_000
/** A session that changes all the time is not read all the time. */
const LOOK_AGAIN_AFTER_MS = 50
/** Ids read side by side by one `watch`. */
const BATCH = 64

/** A record that was live, with the line that tells when it is another one. */
interface Kept {
  readonly record: SessionRecord
  readonly line: Line
  readonly asked: Moment
}

/**
 * `Records.watch`. Looks every second, and at once when the store tells of a change. What is known to be current is not
 * read again; a word of a change comes once, so it is read again after each. An outage ends nothing.
 */
export async function* watch(core: Core, ids: Iterable<SessionId>, signal: AbortSignal): AsyncGenerator<WatchedEnd> {
  const watched = new Map<SessionId, Kept | undefined>()
  for (const id of ids) {
    checkSessionId(id)
    watched.set(id, undefined)
  }
  const doubts = new Doubts(watched)
  const off = core.near.onDoubt((what) => doubts.add(what))
  try {
    while (watched.size > 0 && !signal.aborted) {
      const lookedAt = momentOf(core.runtime.clock)
      const due = [...watched].filter(([id, kept]) => doubts.include(id) || !isCurrent(core, kept)).map(([id]) => id)
      doubts.clear()
      for (let start = 0; start < due.length; start += BATCH) {
        const looks = await Promise.all(due.slice(start, start + BATCH).map((id) => look(core, id)))
        for (const { id, kept, refused } of looks) {
          if (!refused) watched.set(id, kept)
          else if (watched.delete(id)) yield { id, endedBy: refused.endedBy ?? refused.reason }
        }
        if (signal.aborted) return
      }
      if (watched.size === 0) return
      await wait(core, LOOK_EVERY_MS, signal, doubts)
      await wait(core, LOOK_AGAIN_AFTER_MS - elapsedMs(core.runtime.clock, lookedAt), signal)
    }
  } finally {
    off()
  }
}

/** Ids and tags of which something was told since they were read. */
class Doubts {
  readonly #watched: ReadonlyMap<string, unknown>
  readonly #tags: ReadonlySet<string>
  readonly #told = new Set<string>()
  #ofAll = false
  /** Called with the first doubt. */
  wake: (() => void) | undefined

  constructor(watched: ReadonlyMap<SessionId, unknown>) {
    this.#watched = watched
    this.#tags = new Set([...watched.keys()].map(tagOfId))
  }

  /** @param what - An id, a tag, or `undefined` for everything. */
  add(what: string | undefined): void {
    if (what === undefined) this.#ofAll = true
    else if (this.#watched.has(what) || this.#tags.has(what)) this.#told.add(what)
    else return
    this.wake?.()
  }
  include(id: SessionId): boolean {
    return this.#ofAll || this.#told.has(id) || this.#told.has(tagOfId(id))
  }
  get isEmpty(): boolean {
    return !this.#ofAll && this.#told.size === 0
  }
  clear(): void {
    this.#ofAll = false
    this.#told.clear()
  }
}

/** What the hit of a check compares: the line, the age, the floor and the deadlines. */
function isCurrent(core: Core, kept: Kept | undefined): boolean {
  if (!kept || !core.near.isCurrent(kept)) return false
  const floor = core.floor.now()
  return floor !== undefined && judgeRecord(kept.record, floor, core.nowMs()) === undefined
}

async function look(
  core: Core,
  id: SessionId,
): Promise<{ readonly id: SessionId; readonly kept?: Kept; readonly refused?: Refused }> {
  try {
    await core.ready()
    const reading = core.near.readSession(id)
    try {
      const [found, floor] = await Promise.all([reading?.answer() ?? core.sessions.read(id), core.floor.fresh()])
      if (found.is !== 'live') return { id, refused: judgeGone(found) }
      const { record } = found
      const refused = judgeRecord(record, floor, core.nowMs())
      if (refused) return { id, refused }
      const read = reading?.keepable()
      return { id, ...(read && { kept: { record, ...read } }) }
    } finally {
      reading?.end()
    }
  } catch (error) {
    // An outage ends nothing. A store that is closed will never answer again.
    if (error instanceof CountersignError && error.code === 'ERR_CLOSED') throw error
    return { id }
  }
}

/** Waits, unless aborted, and with `doubts` until there is one. */
function wait(core: Core, ms: number, signal: AbortSignal, doubts?: Doubts): Promise<void> {
  if (ms <= 0 || signal.aborted || doubts?.isEmpty === false) return Promise.resolve()
  const { timers } = core.runtime
  return new Promise((resolve) => {
    const done = () => {
      timers.clearTimeout(timer)
      signal.removeEventListener('abort', done)
      if (doubts) doubts.wake = undefined
      resolve()
    }
    const timer = timers.setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    if (doubts) doubts.wake = done
  })
}
