import type { CountersignError } from '../../internal/errors.ts'
import { type Clock, elapsedMs, type Moment, momentOf, type Runtime } from '../../internal/runtime.ts'
import type { FeedStatus } from '../contract.ts'
import { WhileUsed } from '../shared/while-used.ts'
import { jitterMs, type NodeRedisErrors, type TrackedClient } from './node-redis.ts'
import { FENCE_EVERY_MS, type Fence, type LineOwner, TrackedLine } from './tracked-line.ts'

/** At most two attempts to connect per second, and not in step with other processes. */
const RETRY_AFTER_MS = 500
const RETRY_JITTER_MS = 500
/** A server that refuses what is needed is asked again once a minute: somebody may have changed its settings. */
const REFUSED_RETRY_MS = 60_000

export interface PrimaryParts {
  /** For status: host and port, never with a password. */
  readonly name: string
  /** Makes a client of this primary, not connected yet. */
  connect(): Promise<{ readonly client: TrackedClient; readonly errors: NodeRedisErrors }>
  readonly fence: Fence
  readonly runtime: Runtime
  readonly clock: Clock
  readonly owner: Pick<LineOwner, 'changed' | 'reset'>
  /** Counts uses. */
  uses(): number
}

/**
 * The tracked line to one primary, one after the other: opened by the first use, fenced while used, left in peace by an
 * idle process, and made anew when it broke.
 */
export class TrackedPrimary {
  readonly #parts: PrimaryParts
  readonly #fences: WhileUsed
  #line: TrackedLine | undefined
  #tried: Moment | undefined
  #retryAfterMs = 0
  #why: string | undefined = 'not used yet'
  #closed = false

  constructor(parts: PrimaryParts) {
    this.#parts = parts
    this.#fences = new WhileUsed({
      everyMs: FENCE_EVERY_MS,
      timers: parts.runtime.timers,
      uses: parts.uses,
      turn: () => (this.#line ? this.#line.fence() : this.#open()),
    })
  }

  /** The line, if reads may go over it now. A use keeps it open, or has it opened for the next one. */
  use(): TrackedLine | undefined {
    if (this.#closed) return undefined
    this.#fences.use()
    return this.#line?.isOpen ? this.#line : undefined
  }

  /** Asks for a fence at once: something changed that the fence tells of. */
  fenceNow(): void {
    this.#line?.fence()
  }

  /** Gives up the line there is: the next use opens another. */
  renew(): void {
    const line = this.#line
    this.#line = undefined
    this.#why = 'connecting again'
    void line?.close()
  }

  status(): FeedStatus['lines'][number] & { readonly why: string | undefined } {
    const isOpen = this.#line?.isOpen ?? false
    const fenceAgeMs = this.#line?.fenceAgeMs ?? Number.POSITIVE_INFINITY
    return { name: this.#parts.name, isOpen, fenceAgeMs, why: isOpen ? undefined : (this.#line?.whyNot ?? this.#why) }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#fences.end()
    const line = this.#line
    this.#line = undefined
    await line?.close()
  }

  #open(): void {
    const { runtime } = this.#parts
    if (this.#tried && elapsedMs(runtime.clock, this.#tried) < this.#retryAfterMs) return
    this.#tried = momentOf(runtime.clock)
    this.#retryAfterMs = RETRY_AFTER_MS + jitterMs(runtime.random, RETRY_JITTER_MS)
    this.#why = 'connecting'
    this.#parts.connect().then(
      ({ client, errors }) => {
        if (this.#closed || this.#line) return
        const { fence, clock, owner } = this.#parts
        const ended: LineOwner['ended'] = (line, why, refused) => this.#ended(line, why, refused)
        this.#line = new TrackedLine({ client, errors, fence, runtime, clock, owner: { ...owner, ended } })
      },
      (error: CountersignError) => {
        this.#why = error.message
        this.#retryAfterMs = REFUSED_RETRY_MS
      },
    )
  }

  #ended(line: TrackedLine, why: CountersignError, refused: boolean): void {
    if (this.#line !== line) return
    this.#line = undefined
    this.#why = why.message
    if (refused) this.#retryAfterMs = REFUSED_RETRY_MS
  }
}
