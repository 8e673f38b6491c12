import { type Clock, elapsedMs, type Moment, momentOf } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import type { DegradedSession, Principal } from '../session/types.ts'
import type { Line } from '../stores/contract.ts'
import { type Bounds, MAX_COPY_AGE_MS, type Standing } from './known-tokens.ts'
import type { Reading } from './reads.ts'

/** What is remembered of a session that the store confirmed. */
export interface Verified extends Pick<Standing<unknown>, 'id' | 'bornMs' | 'overMs'> {
  readonly token: string
  /** As a degraded answer shows it. Frozen. */
  readonly session: DegradedSession
  /** How long ago this was certain at the latest, in milliseconds. */
  readonly ageMs: number
}

interface Entry extends Pick<Standing<unknown>, 'id' | 'bornMs' | 'overMs'> {
  readonly token: string
  readonly session: DegradedSession
  /** When the store was asked. */
  readonly asked: Moment
  /** When it was certain for the last time. */
  certain: Moment
  /** As long as it tells of changes, its fences make it certain again. */
  line: Line | undefined
  /** When somebody was told that it was served without the store, on the monotonic clock. */
  toldMs: number
}

/** The longest that anybody may ask for. */
export const MAX_WITHIN_MS = 300_000

const TELL_AGAIN_MS = 60_000

/** A question to the store that is under way. */
export interface Asking {
  readonly tag: string
  readonly asked: Moment
  /** Something of the subject has changed since. */
  isVoid: boolean
}

/** Heap of an entry: a guess, rather too much than too little. */
const ENTRY_BYTES = 900
/** Of the bounds of the near cache, the part that this may take besides. */
const SHARE = 1 / 4

/**
 * The sessions that this process has seen the store confirm, and has heard nothing of since that could be their end: what
 * `verify` may fall back on in an outage, where that is asked for. Remembers nothing until it is asked for.
 *
 * Unlike a copy of the near cache an entry outlives the line that it was read over: to have lost the line is not to have
 * been told something. Any change that is told counts as an end, because which it was nobody has read.
 */
export class LatelyVerified {
  readonly #clock: Clock
  readonly #most: number
  /** The oldest first. */
  readonly #byToken = new Map<string, Entry>()
  readonly #byTag = new Map<string, Set<Entry>>()
  readonly #asking = new Map<string, Set<Asking>>()
  #isOn = false
  /** Answers that were given. */
  served = 0

  constructor(clock: Clock, { maxEntries, maxBytes }: Bounds) {
    this.#clock = clock
    this.#most = Math.min(maxEntries, Math.floor((maxBytes * SHARE) / ENTRY_BYTES))
  }

  /** From now on. Called with the first check that asks for it. */
  switchOn(): void {
    this.#isOn = true
  }

  get size(): number {
    return this.#byToken.size
  }

  /** Before the store is asked of a subject. `undefined` when nothing is remembered. */
  begin(tag: string): Asking | undefined {
    if (!this.#isOn) return undefined
    const asking: Asking = { tag, asked: momentOf(this.#clock), isVoid: false }
    const others = this.#asking.get(tag)
    if (others) others.add(asking)
    else this.#asking.set(tag, new Set([asking]))
    return asking
  }
  end(asking: Asking): void {
    const all = this.#asking.get(asking.tag)
    if (all?.delete(asking) && all.size === 0) this.#asking.delete(asking.tag)
  }

  /**
   * The store has confirmed it.
   *
   * @param reading - What it was read by, where several shared the question.
   */
  confirmed(token: string, standing: Standing<unknown>, asking: Asking, reading?: Reading<unknown>): void {
    if (asking.isVoid) return
    const line = reading?.keepable()?.line
    const asked = reading?.asked() ?? asking.asked
    const before = this.#byToken.get(token)
    this.#remove(before)
    const { id, bornMs, overMs } = standing
    const earlier = asked.monotonicMs < asking.asked.monotonicMs ? asked : asking.asked
    const entry: Entry = {
      token,
      id,
      bornMs,
      overMs,
      session: degradedOf(standing.session, id),
      asked: earlier,
      certain: earlier,
      // One that has to be asked at each use says nothing in between.
      line: line?.probe ? undefined : line,
      toldMs: before?.toldMs ?? Number.NEGATIVE_INFINITY,
    }
    this.#byToken.set(token, entry)
    const tag = tagOfId(id)
    const others = this.#byTag.get(tag)
    if (others) others.add(entry)
    else this.#byTag.set(tag, new Set([entry]))
    this.#makeRoom()
  }

  /** Lets go of what is of no use to anybody, and of the oldest beyond the bound. */
  #makeRoom(): void {
    for (const entry of this.#byToken.values()) {
      const isOld = elapsedMs(this.#clock, entry.asked) > MAX_WITHIN_MS + MAX_COPY_AGE_MS
      if (!isOld && this.#byToken.size <= this.#most) return
      this.#remove(entry)
    }
  }

  /** What was certain at most `withinMs` ago. */
  find(token: string, withinMs: number): Verified | undefined {
    const entry = this.#byToken.get(token)
    if (!entry) return undefined
    const ageMs = elapsedMs(this.#clock, this.#certainOf(entry))
    return ageMs <= withinMs ? { ...entry, ageMs } : undefined
  }

  /** It is answered with. @returns Whether that is worth telling: a session that is used all the time is told of once a minute. */
  serve({ token }: Verified): boolean {
    this.served++
    const entry = this.#byToken.get(token)
    const nowMs = this.#clock.monotonicMs()
    if (!entry || nowMs - entry.toldMs < TELL_AGAIN_MS) return false
    entry.toldMs = nowMs
    return true
  }

  /** A fence makes it certain again, within the age at which a copy would be read again. */
  #certainOf({ asked, certain, line }: Entry): Moment {
    if (!line || !(line.fencedMonotonicMs > certain.monotonicMs)) return certain
    const now = momentOf(this.#clock)
    return {
      monotonicMs: Math.min(line.fencedMonotonicMs, now.monotonicMs, asked.monotonicMs + MAX_COPY_AGE_MS),
      wallMs: Math.min(line.fencedWallMs, now.wallMs, asked.wallMs + MAX_COPY_AGE_MS),
    }
  }

  /** The session may have ended, or lost something. */
  dropSession(id: SessionId): void {
    if (!this.#isOn) return
    const tag = tagOfId(id)
    this.#voidAsking(tag)
    for (const entry of this.#byTag.get(tag) ?? []) if (entry.id === id) this.#remove(entry)
  }
  dropSubject(tag: string): void {
    if (!this.#isOn) return
    this.#voidAsking(tag)
    for (const entry of this.#byTag.get(tag) ?? []) this.#remove(entry)
  }
  dropAll(): void {
    for (const tag of this.#asking.keys()) this.#voidAsking(tag)
    this.#byToken.clear()
    this.#byTag.clear()
  }

  /** The line tells nothing any more, or not of what was read over it. Called while it still says when it was fenced. */
  lineOver(line: Line): void {
    for (const entry of this.#byToken.values()) {
      if (entry.line !== line) continue
      entry.certain = this.#certainOf(entry)
      entry.line = undefined
    }
  }

  #voidAsking(tag: string): void {
    for (const asking of this.#asking.get(tag) ?? []) asking.isVoid = true
  }

  #remove(entry: Entry | undefined): void {
    if (!entry) return
    this.#byToken.delete(entry.token)
    const tag = tagOfId(entry.id)
    const others = this.#byTag.get(tag)
    if (others?.delete(entry) && others.size === 0) this.#byTag.delete(tag)
  }
}

function degradedOf(
  { subject, tenant, audience, clientId, actor, expiresAtMs }: Principal,
  sessionId: SessionId,
): DegradedSession {
  return Object.freeze({
    sessionId,
    subject,
    ...(tenant !== undefined && { tenant }),
    audience,
    ...(clientId !== undefined && { clientId }),
    ...(actor !== undefined && { actor }),
    expiresAtMs,
  })
}
