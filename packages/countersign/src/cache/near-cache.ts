import type { Clock, Moment } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import type { ChangeFeed, Feed, FeedListener, Floor, Found, Line, Revocations } from '../stores/contract.ts'
import type { NearCacheHealth } from './health.ts'
import {
  type Answer,
  Copy,
  type Genuine,
  type KnownToken,
  KnownTokens,
  MAX_COPY_AGE_MS,
  type Standing,
} from './known-tokens.ts'
import { LatelyVerified } from './lately-verified.ts'
import type { ResolvedNearCache } from './options.ts'
import type { OwnWrites } from './own-writes.ts'
import { type Reading, Reads } from './reads.ts'

/** Heap of a record, beside the text it was made of and its own texts: a guess, rather too much than too little. */
const RECORD_BYTES = 1_000

export interface NearCacheParts {
  readonly options: ResolvedNearCache
  readonly clock: Clock
  /** This process's copy of the floor, if it is young enough at this moment. */
  floorAt(monotonicMs: number, wallMs: number): Floor | undefined
  floorRead(floor: Floor, asked: Moment): void
  /** Another number after every change of a key. */
  keysVersion(): number
}

type FoundRevocations = Revocations | { readonly is: 'lost' }

/**
 * What this process knows without asking: which tokens are genuine, and how they stood when the store was last asked.
 * `docs/design/0005-near-cache.md` has the algorithm; the numbers in the comments below are its steps.
 *
 * `V` is what a token proves by itself, `U` what noting a use takes: neither means anything here.
 */
export class NearCache<V, U> implements FeedListener, OwnWrites {
  readonly #options: ResolvedNearCache
  readonly #clock: Clock
  readonly #floorAt: NearCacheParts['floorAt']
  readonly #onFloor: NearCacheParts['floorRead']
  readonly #keysVersion: () => number
  readonly #tokens: KnownTokens<V, U>
  /** What may be said in an outage, where that is asked for. */
  readonly lately: LatelyVerified
  #version: number
  #feed: Feed | undefined
  #mode: ChangeFeed['mode'] | undefined
  #sessions: Reads<Found> | undefined
  #revocations: Reads<FoundRevocations> | undefined
  #whyOff: string
  #closed = false
  readonly #doubters = new Set<(what: string | undefined) => void>()
  #looks = 0
  #hits = 0
  #misses = 0
  #kept = 0
  readonly #drops = { changed: 0, own: 0, reset: 0, aged: 0, keys: 0 }

  constructor(parts: NearCacheParts) {
    this.#options = parts.options
    this.#clock = parts.clock
    this.#floorAt = parts.floorAt
    this.#onFloor = parts.floorRead
    this.#keysVersion = parts.keysVersion
    this.#tokens = new KnownTokens(parts.options)
    this.lately = new LatelyVerified(parts.clock, parts.options)
    this.#version = parts.keysVersion()
    this.#whyOff = parts.options.isWanted ? 'the store has not been used yet' : 'the option "nearCache" is false'
  }

  /** Begins to keep copies, if the store tells of changes. */
  open(changes: ChangeFeed | undefined): void {
    if (this.#closed || this.#feed || !this.#options.isWanted) return
    if (!changes) {
      this.#whyOff = 'the store does not tell of changes'
      return
    }
    const feed = changes.open(this, this.#clock)
    const { maxStaleMs } = this.#options
    this.#feed = feed
    this.#mode = changes.mode
    this.#sessions = new Reads(
      (id) => feed.read(id as SessionId),
      (id) => tagOfId(id as SessionId),
      this.#clock,
      maxStaleMs,
    )
    this.#revocations = new Reads(
      (tag) => feed.readRevocations(tag),
      (tag) => tag,
      this.#clock,
      maxStaleMs,
    )
  }

  /** The token, if it has been found genuine with the keys that are in use now. */
  find(token: string): KnownToken<V, U> | undefined {
    const version = this.#keysVersion()
    if (version !== this.#version) {
      this.#drops.keys += this.#tokens.size
      this.#tokens.clear()
      this.#version = version
    }
    return this.#tokens.find(token)
  }

  /**
   * What the store made of a token, if that may be said again now. Everything that can have changed is compared on every
   * call: the keys, the lease of the line, the age of the copy, the floor, the token's own time, and the session's.
   *
   * Allocates nothing. Cost: `bench/near`.
   *
   * @param nowMs - Store time.
   */
  hit(token: string, nowMs: number): Copy<V, U> | undefined {
    if (this.#feed === undefined) return undefined
    const known = this.find(token)
    const copy = known?.copy
    if (known === undefined || copy === undefined) return undefined
    const { line } = copy
    if (line.probe !== undefined) {
      line.probe()
      if (known.copy !== copy) return undefined
    }
    const monotonicMs = this.#clock.monotonicMs()
    const wallMs = this.#clock.nowMs()
    // 1. The lease. Both clocks: the monotonic one stands still in a suspended process, the other may be set back. A
    // lease that has run out takes nothing away from the copy: the next fence brings it back.
    const { maxStaleMs } = this.#options
    if (!(monotonicMs - line.fencedMonotonicMs <= maxStaleMs && wallMs - line.fencedWallMs <= maxStaleMs))
      return undefined
    // 2. The age, for what no store tells of.
    if (!(monotonicMs <= copy.youngMonotonicMs && wallMs <= copy.youngWallMs)) {
      this.#tokens.detach(known)
      this.#drops.aged++
      return undefined
    }
    // 3. The floor.
    const floor = this.#floorAt(monotonicMs, wallMs)
    if (floor === undefined || copy.bornMs <= floor.notBeforeMs) return undefined
    // 4. The times of token and session. Which refusal it is, the slow path says.
    if (nowMs < known.sinceMs || nowMs >= copy.overMs) return undefined
    if (!known.wasUsed) known.wasUsed = true
    this.#hits++
    return copy
  }

  /** Reads a record; `undefined` when no copies are kept and every caller reads for itself. */
  readSession(id: SessionId): Reading<Found> | undefined {
    this.#misses++
    return this.#sessions?.begin(id)
  }
  readRevocations(tag: string): Reading<FoundRevocations> | undefined {
    this.#misses++
    return this.#revocations?.begin(tag)
  }

  /** The version of the keys, to be taken before a signature is checked and given to `keep`. */
  get keysVersion(): number {
    return this.#keysVersion()
  }

  /** Remembers a token whose MAC or signature was right. Call it only for one that was accepted: positive entries only. */
  remember(token: string, genuine: Genuine<V>, keysVersion: number, nowMs: number): KnownToken<V, U> | undefined {
    if (this.#closed || keysVersion !== this.#keysVersion()) return undefined
    return this.find(token) ?? this.#tokens.add(token, genuine, nowMs)
  }

  /**
   * Keeps what the store answered about a token and what that made of it, for stores that can tell the same answer again.
   * No copy: the store is asked each time.
   */
  keepAnswer(known: KnownToken<V, U>, answer: Omit<Answer<U>, 'bytes'> | undefined, nowMs: number): void {
    if (this.#closed || known.answer === answer) return
    const bytes = answer && answer.standing.bytes + RECORD_BYTES + 2 * (answer.raw?.length ?? 0)
    this.#tokens.setAnswer(known, answer && { ...answer, bytes: bytes! }, nowMs)
  }

  /** Keeps what a read made of a token, unless something has changed since it was asked for. */
  keep(known: KnownToken<V, U>, standing: Standing<U>, reading: Reading<unknown>, nowMs: number): void {
    const read = this.#closed ? undefined : reading.keepable()
    if (!read) return
    this.#tokens.attach(new Copy(known, standing, read.line, read.asked), nowMs)
    this.#kept++
  }

  /** Counts as a use of copies: lines are kept young for it. */
  noteUse(): void {
    this.#looks++
  }
  /**
   * Whether what a reading allowed to keep still holds, as far as the line and the age go. A line that is asked at each use
   * is not asked: ask it first, once for all.
   *
   * @param at - Now.
   */
  isCurrent({ line, asked }: { readonly line: Line; readonly asked: Moment }, at: Moment): boolean {
    const { maxStaleMs } = this.#options
    return (
      at.monotonicMs - line.fencedMonotonicMs <= maxStaleMs &&
      at.wallMs - line.fencedWallMs <= maxStaleMs &&
      at.monotonicMs - asked.monotonicMs <= MAX_COPY_AGE_MS &&
      at.wallMs - asked.wallMs <= MAX_COPY_AGE_MS
    )
  }

  /** Calls back for each id or tag of which something is told, or which this process writes; `undefined` = all of them. */
  onDoubt(listener: (what: string | undefined) => void): () => void {
    this.#doubters.add(listener)
    return () => this.#doubters.delete(listener)
  }
  #doubt(what: string | undefined): void {
    for (const listener of this.#doubters) listener(what)
  }

  sessionChanged(id: SessionId): void {
    this.#sessions?.voidKey(id)
    this.lately.dropSession(id)
    this.#drops.changed += this.#tokens.detachTag(tagOfId(id), id)
    this.#doubt(id)
  }
  revocationsChanged(tag: string): void {
    this.#revocations?.voidKey(tag)
    this.lately.dropSubject(tag)
    this.#drops.changed += this.#tokens.detachTag(tag)
  }
  reset(line: Line): void {
    // Which reads go over the line only their answers tell.
    this.#sessions?.voidAll()
    this.#revocations?.voidAll()
    this.lately.lineOver(line)
    this.#drops.reset += this.#tokens.detachLine(line)
    this.#doubt(undefined)
  }
  floorRead(floor: Floor, asked: Moment): void {
    this.#onFloor(floor, asked)
  }
  uses(): number {
    return this.#hits + this.#misses + this.#looks
  }

  /** A use or its data: nothing that ends it, so `lately` is not told. */
  dropSession(id: SessionId): void {
    this.#sessions?.voidKey(id)
    this.#drops.own += this.#tokens.detachTag(tagOfId(id), id)
    this.#doubt(id)
  }
  dropSubject(tag: string): void {
    this.#sessions?.voidTag(tag)
    this.#revocations?.voidTag(tag)
    this.lately.dropSubject(tag)
    this.#drops.own += this.#tokens.detachTag(tag)
    this.#doubt(tag)
  }
  /** The floor is no copy: every use of one compares it with the floor. */
  dropAll(): void {
    this.lately.dropAll()
  }

  health(): NearCacheHealth {
    const feed = this.#feed?.status()
    const lines = feed?.lines ?? []
    const young = lines.filter(({ isOpen, fenceAgeMs }) => isOpen && fenceAgeMs <= this.#options.maxStaleMs)
    return {
      isOn: young.length > 0,
      ...(feed && { mode: this.#mode! }),
      warnings: feed ? feed.warnings : [this.#whyOff],
      lines,
      entries: this.#tokens.size,
      bytes: this.#tokens.bytes,
      hits: this.#hits,
      misses: this.#misses,
      kept: this.#kept,
      drops: { ...this.#drops, evicted: this.#tokens.evicted },
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#whyOff = 'the sessions are closed'
    this.#tokens.clear()
    this.lately.dropAll()
    const feed = this.#feed
    this.#feed = undefined
    await feed?.close()
  }
}
