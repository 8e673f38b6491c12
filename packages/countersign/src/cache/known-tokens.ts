import type { Moment } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import type { Principal } from '../session/types.ts'
import type { Found, LastRead, Line } from '../stores/contract.ts'

/** From this age on a copy is read again: the bound for what no store tells of, such as `SWAPDB`. */
export const MAX_COPY_AGE_MS = 30_000
/** At most so much earlier: what a process read all at once after its start would else be read all at once ever after. */
export const COPY_AGE_SPREAD_MS = MAX_COPY_AGE_MS / 4

/** What the store made of a token. Nothing in it depends on the call that asked. */
export interface Standing<U> {
  readonly id: SessionId
  /** Frozen. */
  readonly session: Principal
  /** A floor at or above it ends the session. Store time, as the two below. */
  readonly bornMs: number
  /** The session is over from here on. */
  readonly overMs: number
  /** A use later than this has to be noted. */
  readonly dueMs: number
  /** What noting it takes. */
  readonly use: U | undefined
  /** Heap that it takes, as an estimate. */
  readonly bytes: number
}

/** A standing with the line that tells when it changes. Its parts, not the object: one less to fetch and to keep. */
export class Copy<V, U> {
  readonly known: KnownToken<V, U>
  readonly id: SessionId
  /** The answer for whoever demands nothing more: made once, so that a hit allocates nothing. */
  readonly accepted: { readonly ok: true; readonly session: Principal }
  readonly bornMs: number
  /** The session or the token is over from here on. */
  readonly overMs: number
  readonly dueMs: number
  readonly use: U | undefined
  readonly bytes: number
  readonly line: Line
  /** Until then it is young enough. */
  readonly youngMonotonicMs: number
  readonly youngWallMs: number
  /** Neighbours in the list of the tag. */
  previous: Copy<V, U> | undefined
  next: Copy<V, U> | undefined

  constructor(known: KnownToken<V, U>, standing: Standing<U>, line: Line, asked: Moment) {
    this.known = known
    this.id = standing.id
    this.accepted = Object.freeze({ ok: true, session: standing.session })
    this.bornMs = standing.bornMs
    this.overMs = Math.min(standing.overMs, known.untilMs)
    this.dueMs = standing.dueMs
    this.use = standing.use
    this.bytes = standing.bytes
    this.line = line
    const youngForMs = MAX_COPY_AGE_MS - COPY_AGE_SPREAD_MS * fractionOf(standing.id)
    this.youngMonotonicMs = asked.monotonicMs + youngForMs
    this.youngWallMs = asked.wallMs + youngForMs
  }
}

/** 0 to 1, by characters of an id that are random. The last one is no whole one. */
function fractionOf(id: string): number {
  return ((id.charCodeAt(id.length - 2) * 64 + id.charCodeAt(id.length - 3)) % 1_000) / 1_000
}

/**
 * What the store answered about a token when it was last asked, which a read under way may replace, and what an answer made of
 * it. One object, because a request has to fetch all of it.
 */
export interface Answer<U> extends LastRead {
  /** Of which `standing` is true. */
  readonly of: Found
  readonly standing: Standing<U>
  /** Heap that all of it takes, as an estimate. */
  readonly bytes: number
}

/** What is known of a genuine token without asking. */
export interface Genuine<V> {
  /** What it proves by itself. */
  readonly proof: V
  /** Its own time: accepted from `sinceMs` on, refused from `untilMs` on. Store time. */
  readonly sinceMs: number
  readonly untilMs: number
  /** Heap that `proof` takes, as an estimate. */
  readonly proofBytes: number
}

/** A token whose MAC or signature was found right. */
export class KnownToken<V, U> implements Genuine<V> {
  readonly token: string
  readonly proof: V
  readonly sinceMs: number
  readonly untilMs: number
  readonly proofBytes: number
  copy: Copy<V, U> | undefined
  answer: Answer<U> | undefined
  /** Since the hand of the eviction came by. */
  wasUsed = false

  constructor(token: string, { proof, sinceMs, untilMs, proofBytes }: Genuine<V>) {
    this.token = token
    this.proof = proof
    this.sinceMs = sinceMs
    this.untilMs = untilMs
    this.proofBytes = proofBytes
  }
}

/**
 * Characters of the end of a token by which it is found: part of its MAC or signature. Hashing 400 characters of a string
 * that was made from bytes takes three quarters of a look-up, and these are as good as all of them: `bench/near` shows a
 * hit at two thirds of a bare look-up by the whole token. The whole token is compared after, so should two genuine ones
 * ever agree in these 70 bits, they take turns. No more than 12, because V8 makes a string of them that stands for itself:
 * a longer one refers to the token, and two that refer to others are not compared by the quick way.
 */
const TAIL = 12
/** Heap of an entry without the characters of the token and without its proof: `bench/near/heap.ts`. */
const ENTRY_BYTES = 250

export interface Bounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

/**
 * The tokens that this process knows, bounded by number and by bytes. Eviction is SIEVE (Zhang et al., NSDI 2024): a hand
 * goes from the oldest to the newest and takes the first that was not used since it last came by. A hit costs it one
 * flag, no moving in a list, and a scan of many tokens that come once does not drive out the ones in use.
 */
export class KnownTokens<V, U> {
  readonly #bounds: Bounds
  readonly #byTail = new Map<string, KnownToken<V, U>>()
  /** First copy of each tag. */
  readonly #byTag = new Map<string, Copy<V, U>>()
  #hand: Iterator<KnownToken<V, U>>
  #bytes = 0
  evicted = 0

  constructor(bounds: Bounds) {
    this.#bounds = bounds
    this.#hand = this.#byTail.values()
  }

  get size(): number {
    return this.#byTail.size
  }
  get bytes(): number {
    return this.#bytes
  }

  find(token: string): KnownToken<V, U> | undefined {
    const known = this.#byTail.get(token.slice(-TAIL))
    return known !== undefined && known.token === token ? known : undefined
  }

  /** Keeps a token, if it fits at all. Only for one whose MAC or signature was right. */
  add(token: string, genuine: Genuine<V>, nowMs: number): KnownToken<V, U> | undefined {
    const same = this.find(token)
    if (same) return same
    // A copy: the token may be a slice, which would keep a whole header of the request alive.
    const own = Buffer.from(token, 'latin1').toString('latin1')
    const known = new KnownToken<V, U>(own, genuine)
    const bytes = bytesOf(known)
    const { maxEntries, maxBytes } = this.#bounds
    if (own !== token || bytes > maxBytes || maxEntries < 1) return undefined
    const tail = own.slice(-TAIL)
    const before = this.#byTail.get(tail)
    if (before) this.#remove(before)
    this.#makeRoom(bytes, 1, nowMs)
    this.#byTail.set(tail, known)
    this.#bytes += bytes
    return known
  }

  /** Keeps a copy with a token that `add` gave, if it fits. */
  attach(copy: Copy<V, U>, nowMs: number): void {
    const { known, bytes } = copy
    this.detach(known)
    // One that would drive out a sixteenth of everything is not worth it.
    if (this.find(known.token) !== known || bytes > this.#bounds.maxBytes / 16) return
    known.wasUsed = true
    this.#makeRoom(bytes, 0, nowMs)
    // The hand may have come round to the token itself.
    if (this.find(known.token) !== known) return
    known.copy = copy
    this.#bytes += bytes
    const tag = tagOfId(copy.id)
    const first = this.#byTag.get(tag)
    copy.next = first
    if (first) first.previous = copy
    this.#byTag.set(tag, copy)
  }

  /** Keeps an answer with a token that `add` gave, if it fits, or drops the one that is there. */
  setAnswer(known: KnownToken<V, U>, answer: Answer<U> | undefined, nowMs: number): void {
    if (this.find(known.token) !== known) return
    this.#bytes -= known.answer?.bytes ?? 0
    known.answer = undefined
    if (answer === undefined || answer.bytes > this.#bounds.maxBytes / 16) return
    known.wasUsed = true
    this.#makeRoom(answer.bytes, 0, nowMs)
    if (this.find(known.token) !== known) return
    known.answer = answer
    this.#bytes += answer.bytes
  }

  /** Drops the copy and keeps the token. */
  detach(known: KnownToken<V, U>): void {
    const { copy } = known
    if (!copy) return
    known.copy = undefined
    this.#bytes -= copy.bytes
    const { previous, next } = copy
    if (next) next.previous = previous
    if (previous) previous.next = next
    else if (next) this.#byTag.set(tagOfId(copy.id), next)
    else this.#byTag.delete(tagOfId(copy.id))
  }

  /** Drops the copies of a tag, or of one of its sessions, and returns how many. */
  detachTag(tag: string, id?: SessionId): number {
    let dropped = 0
    for (let copy = this.#byTag.get(tag); copy; ) {
      const { next, known } = copy
      if (id === undefined || copy.id === id) {
        this.detach(known)
        dropped++
      }
      copy = next
    }
    return dropped
  }

  /** Drops the copies that were read over a line. */
  detachLine(line: Line): number {
    let dropped = 0
    for (const known of this.#byTail.values()) {
      if (known.copy?.line !== line) continue
      this.detach(known)
      dropped++
    }
    return dropped
  }

  clear(): void {
    this.#byTail.clear()
    this.#byTag.clear()
    this.#hand = this.#byTail.values()
    this.#bytes = 0
  }

  #makeRoom(bytes: number, entries: number, nowMs: number): void {
    const { maxEntries, maxBytes } = this.#bounds
    while (this.#byTail.size > 0 && (this.#byTail.size + entries > maxEntries || this.#bytes + bytes > maxBytes)) {
      this.#evict(nowMs)
    }
  }

  #evict(nowMs: number): void {
    for (;;) {
      const step = this.#hand.next()
      if (step.done) {
        this.#hand = this.#byTail.values()
        continue
      }
      const known = step.value
      if (known.wasUsed && known.untilMs > nowMs) {
        known.wasUsed = false
        continue
      }
      this.#remove(known)
      this.evicted++
      return
    }
  }

  #remove(known: KnownToken<V, U>): void {
    this.detach(known)
    this.#byTail.delete(known.token.slice(-TAIL))
    this.#bytes -= bytesOf(known) + (known.answer?.bytes ?? 0)
    known.answer = undefined
  }
}

function bytesOf({ token, proofBytes }: KnownToken<unknown, unknown>): number {
  return ENTRY_BYTES + token.length + proofBytes
}
