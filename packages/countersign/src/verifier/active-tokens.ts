import { type Clock, elapsedMs, type Moment } from '../internal/runtime.ts'
import type { Principal } from '../session/types.ts'

interface Entry {
  readonly principal: Principal
  /** When the question was sent: the answer may describe any moment after it. */
  readonly askedAt: Moment
}

/**
 * Answers that a token is active, for a bounded time and in a bounded number. The key is the whole token as presented.
 * Positive answers only: a refusal is asked again, and costs the one who presents it.
 */
export class ActiveTokens {
  readonly #entries = new Map<string, Entry>()
  readonly #maxStaleMs: number
  readonly #maxEntries: number
  readonly #clock: Clock

  constructor(maxStaleMs: number, maxEntries: number, clock: Clock) {
    this.#maxStaleMs = maxStaleMs
    this.#maxEntries = maxEntries
    this.#clock = clock
  }

  /** What was answered, unless it is too old or the token has expired since. */
  find(token: string): Principal | undefined {
    const entry = this.#entries.get(token)
    if (!entry) return undefined
    const young = elapsedMs(this.#clock, entry.askedAt) < this.#maxStaleMs
    if (young && this.#clock.nowMs() < entry.principal.expiresAtMs) return entry.principal
    this.#entries.delete(token)
    return undefined
  }

  keep(token: string, principal: Principal, askedAt: Moment): void {
    if (this.#maxStaleMs === 0) return
    // An older question may be answered after a newer one.
    const kept = this.#entries.get(token)
    if (kept && kept.askedAt.monotonicMs > askedAt.monotonicMs) return
    this.#entries.delete(token)
    this.#entries.set(token, { principal, askedAt })
    if (this.#entries.size <= this.#maxEntries) return
    // All entries live equally long, so the oldest is also the one that is of least use.
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest!)
  }

  forget(token: string): void {
    this.#entries.delete(token)
  }
}
