import { MAX_COPY_AGE_MS } from '../cache/known-tokens.ts'
import { CountersignError } from '../internal/errors.ts'
import { elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Line } from '../stores/contract.ts'
import type { Core } from './core.ts'
import { Followed, type Known, type RecordListener } from './followed.ts'
import { judgeEnd, judgeGone, judgeRecord } from './judge.ts'
import { Questions, type Why } from './questions.ts'

const TICK_MS = 200
/** Every second: who is over, who is too old. */
const TICKS_PER_LOOK = 5
/** Questions to the store side by side. */
const PARALLEL = 64
/**
 * What makes everything doubtful is heeded at once, but at most once in a second, or in a millisecond for each session: no
 * more than 1 000 reads a second.
 */
const ALL_AGAIN_AFTER_MS = 1_000
/** Nothing certain for longer than that, and listeners are told. Polls, and fences that are late, stay below it. */
const UNSURE_AFTER_MS = 3_000

/**
 * Reads again and again what somebody depends on that is not a request: one for all of a process, so that it costs what
 * changes and not what is open. `docs/design/0014-live-connections.md` has the rules.
 */
export class Follower {
  readonly #core: Core
  readonly #followed = new Map<SessionId, Followed>()
  readonly #byTag = new Map<string, Set<Followed>>()
  readonly #questions = new Questions<Followed>(PARALLEL, (followed, why) => this.#read(followed, why))
  #ticks = 0
  #timer: unknown
  #deaf: (() => void) | undefined
  #floorMs = 0
  #allAreDoubted = false
  #allReadAt: Moment | undefined
  #isClosed = false

  constructor(core: Core) {
    this.#core = core
  }

  /** How many sessions. */
  get size(): number {
    return this.#followed.size
  }

  /**
   * Follows a session for `listener`, which is never called before this returns.
   *
   * @returns Ends it. May be called twice.
   * @throws CountersignError `ERR_CLOSED`.
   */
  add(id: SessionId, listener: RecordListener): () => void {
    if (this.#isClosed) throw closedFault()
    const followed = this.#followed.get(id) ?? this.#begin(id)
    followed.waiting.add(listener)
    const { known } = followed
    const isQuiet = !followed.isDoubted && !followed.isReading && !this.#allAreDoubted
    const isCertain = known && isQuiet && this.#isCurrent(followed) && !this.#seemsOver(known)
    if (isCertain) queueMicrotask(() => this.#answer(followed, listener))
    else this.#want(followed, 'waited')
    return () => {
      followed.remove(listener)
      if (followed.isEmpty && this.#followed.get(id) === followed) this.#drop(followed)
    }
  }

  /** Nobody is told anything any more but this fault. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const followed of [...this.#followed.values()]) this.#leave(followed, (one) => one.failed(closedFault()))
  }

  #begin(id: SessionId): Followed {
    const followed = new Followed(id)
    const [byte] = this.#core.runtime.random(1)
    // Those who came together do not all become too old in the same second.
    followed.maxAgeMs = MAX_COPY_AGE_MS * (0.8 + (0.2 * byte!) / 255)
    if (this.#followed.size === 0) this.#wake()
    this.#followed.set(id, followed)
    const tag = tagOfId(id)
    const siblings = this.#byTag.get(tag)
    if (siblings) siblings.add(followed)
    else this.#byTag.set(tag, new Set([followed]))
    return followed
  }

  #drop(followed: Followed): void {
    this.#followed.delete(followed.id)
    this.#questions.drop(followed)
    this.#endPause(followed)
    const tag = tagOfId(followed.id)
    const siblings = this.#byTag.get(tag)
    siblings?.delete(followed)
    if (siblings?.size === 0) this.#byTag.delete(tag)
    if (this.#followed.size === 0) this.#sleep()
  }

  #wake(): void {
    this.#deaf = this.#core.near.onDoubt((what) => this.#doubt(what))
    this.#floorMs = this.#core.floor.known()?.notBeforeMs ?? 0
    this.#tickLater()
  }
  #sleep(): void {
    this.#deaf?.()
    this.#core.runtime.timers.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #answer(followed: Followed, listener: RecordListener): void {
    // It left, or a question that was asked meanwhile answers it.
    if (!followed.waiting.delete(listener) || !followed.known) return
    followed.told.add(listener)
    listener.live(followed.known.record)
  }

  /** @param what - An id, a tag, or `undefined` for all. */
  #doubt(what: string | undefined): void {
    if (what === undefined) this.#doubtAll()
    else {
      const one = this.#followed.get(what as SessionId)
      if (one) this.#want(one, 'told')
      else for (const sibling of this.#byTag.get(what) ?? []) this.#want(sibling, 'told')
    }
  }

  #doubtAll(): void {
    const { clock } = this.#core.runtime
    const pauseMs = Math.min(ALL_AGAIN_AFTER_MS, this.#followed.size)
    this.#allAreDoubted = this.#allReadAt !== undefined && elapsedMs(clock, this.#allReadAt) < pauseMs
    // The next tick sees to it.
    if (this.#allAreDoubted) return
    this.#allReadAt = momentOf(clock)
    for (const followed of this.#followed.values()) {
      followed.isDoubted = true
      this.#want(followed, 'due')
    }
  }

  #want(followed: Followed, why: Why): void {
    if (why === 'told') followed.isDoubted = true
    if (followed.isReading) return
    const ms = why === 'told' ? followed.pauseMs(this.#core.runtime.clock) : 0
    if (ms <= 0) this.#questions.add(followed, why)
    else
      followed.pause ??= this.#core.runtime.timers.setTimeout(() => {
        followed.pause = undefined
        this.#want(followed, 'told')
      }, ms)
  }

  #endPause(followed: Followed): void {
    if (followed.pause === undefined) return
    this.#core.runtime.timers.clearTimeout(followed.pause)
    followed.pause = undefined
  }

  async #read(followed: Followed, why: Why): Promise<void> {
    this.#endPause(followed)
    const asking = followed.ask(this.#core.runtime.clock, why === 'told')
    // Those who leave meanwhile are not told.
    const still = () => [...asking].filter((listener) => followed.told.has(listener))
    for (const listener of asking) followed.told.add(listener)
    let isAnswered = false
    try {
      const looked = await look(this.#core, followed.id)
      if (this.#followed.get(followed.id) !== followed) return
      if ('ok' in looked) {
        const refused = this.#whyGone(followed, looked)
        this.#leave(followed, (one) => one.over(refused))
        return
      }
      isAnswered = true
      const here = still()
      for (const listener of here) followed.told.delete(listener)
      followed.found(looked, here)
    } catch (error) {
      if (this.#followed.get(followed.id) === followed) this.#failed(followed, still(), error)
    } finally {
      followed.isReading = false
      if (this.#followed.get(followed.id) === followed) {
        if (followed.isDoubted) this.#want(followed, 'told')
        // Without an answer the next look asks again: a store that fails at once would be asked without end.
        else if (followed.waiting.size > 0 && isAnswered) this.#want(followed, 'waited')
      }
    }
  }

  /** A store forgets what has expired, and that is no reason to say less. */
  #whyGone({ known }: Followed, refused: Refused): Refused {
    if (refused.reason !== 'unknown' || !known) return refused
    return this.#seemsOver(known) ?? refused
  }

  /** As far as this process knows: the store may say that an idle deadline has moved. */
  #seemsOver({ record }: Known, nowMs = this.#core.nowMs()): Refused | undefined {
    const floor = this.#core.floor.known()
    return floor && judgeRecord(record, floor, nowMs)
  }

  #failed(followed: Followed, asking: readonly RecordListener[], error: unknown): void {
    if (error instanceof CountersignError && error.code === 'ERR_CLOSED') {
      this.#leave(followed, (one) => one.failed(error))
      return
    }
    const certain = this.#overForCertain(followed)
    if (certain) {
      this.#leave(followed, (one) => one.over(certain))
      return
    }
    // What was told is still to be looked at, though the line is as good as ever: the next look does.
    if (followed.known) followed.known = { ...followed.known, line: undefined }
    // An outage ends nothing. They wait for the next question, which a look asks.
    for (const listener of asking) {
      followed.told.delete(listener)
      followed.waiting.add(listener)
      listener.failed(error)
    }
    this.#tellUnsure(followed)
  }

  /** Only after a question that was not answered: a process that was suspended has not asked yet. */
  #tellUnsure({ certain, known, told }: Followed): void {
    if (!certain || !known) return
    const sinceMs = elapsedMs(this.#core.runtime.clock, certain)
    if (sinceMs <= UNSURE_AFTER_MS) return
    const isOverdue = known.record.idleAtMs <= this.#core.nowMs()
    for (const listener of [...told]) listener.unsure(sinceMs, isOverdue)
  }

  /** What no answer of the store could undo. An idle deadline is not: somebody may have used the session since. */
  #overForCertain({ known }: Followed): Refused | undefined {
    if (!known) return undefined
    const floor = this.#core.floor.known()
    if (floor && known.record.createdAtMs <= floor.notBeforeMs) return judgeEnd(floor.why)
    return known.record.absoluteAtMs <= this.#core.nowMs() ? refuse('expired_absolute') : undefined
  }

  /** The last word to everybody. */
  #leave(followed: Followed, tell: (listener: RecordListener) => void): void {
    this.#drop(followed)
    const listeners = [...followed.told, ...followed.waiting]
    followed.told.clear()
    followed.waiting.clear()
    for (const listener of listeners) tell(listener)
  }

  #tickLater(): void {
    this.#timer = this.#core.runtime.timers.setTimeout(() => {
      this.#timer = undefined
      this.#tick()
      if (this.#followed.size > 0 && this.#timer === undefined) this.#tickLater()
    }, TICK_MS)
  }

  #tick(): void {
    const { near, floor } = this.#core
    near.noteUse()
    // Asks where no fence brings it.
    floor.fresh().catch(() => undefined)
    this.#probe()
    if (this.#allAreDoubted) this.#doubtAll()
    const floorMs = floor.known()?.notBeforeMs ?? 0
    const isRaised = floorMs > this.#floorMs
    this.#floorMs = Math.max(floorMs, this.#floorMs)
    if (++this.#ticks % TICKS_PER_LOOK === 0 || isRaised) this.#look()
  }

  /** Where a change is told only to whoever asks. */
  #probe(): void {
    let before: Line | undefined
    for (const { known } of this.#followed.values()) {
      const line = known?.line
      if (line?.probe === undefined || line === before) continue
      before = line
      line.probe()
    }
  }

  #look(): void {
    const { clock } = this.#core.runtime
    const at = momentOf(clock)
    const nowMs = this.#core.nowMs()
    for (const followed of [...this.#followed.values()]) {
      const { known } = followed
      const isCurrent = this.#isCurrent(followed, at)
      if (!known || !isCurrent || this.#seemsOver(known, nowMs) || followed.waiting.size > 0)
        this.#want(followed, 'due')
    }
  }

  #isCurrent(followed: Followed, at: Moment = momentOf(this.#core.runtime.clock)): boolean {
    const { known } = followed
    if (!known?.line) return false
    const { line, asked } = known
    if (!this.#core.near.isCurrent({ line, asked }, at)) return false
    const { fencedMonotonicMs, fencedWallMs } = line
    // Where no change can be missed there are no fences.
    const isFenced = Number.isFinite(fencedMonotonicMs)
    followed.certain = isFenced ? { monotonicMs: fencedMonotonicMs, wallMs: fencedWallMs } : at
    return at.monotonicMs - asked.monotonicMs <= followed.maxAgeMs && at.wallMs - asked.wallMs <= followed.maxAgeMs
  }
}

async function look(core: Core, id: SessionId): Promise<Known | Refused> {
  await core.ready()
  const asked = momentOf(core.runtime.clock)
  const reading = core.near.readSession(id)
  try {
    const [found, floor] = await Promise.all([reading?.answer() ?? core.sessions.read(id), core.floor.fresh()])
    if (found.is !== 'live') return judgeGone(found)
    const { record } = found
    const refused = judgeRecord(record, floor, core.nowMs())
    if (refused) return refused
    const kept = reading?.keepable()
    return { record, line: kept?.line, asked: kept?.asked ?? asked }
  } finally {
    reading?.end()
  }
}

function closedFault(): CountersignError {
  return new CountersignError('ERR_CLOSED', 'these sessions are closed')
}
