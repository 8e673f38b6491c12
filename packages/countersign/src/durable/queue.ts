import type { Runtime } from '../internal/runtime.ts'
import type { Context } from '../session/types.ts'
import type { Asked } from './denials.ts'
import { isAway, type Operation, tagOf } from './operations.ts'

/** A revocation that the store has not taken yet. */
export interface Waiting extends Asked {
  /** Its name in the journal. */
  readonly number: number
  readonly operation: Operation
  /** Who asked for it. Not kept in the journal. */
  readonly context: Context | undefined
}

/** Most that may wait. Beyond it a revocation fails as the store does: better said than forgotten. */
const MAX_WAITING = 10_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000
/** Subjects that are tried at once. */
const AT_ONCE = 8
const NONE: readonly Waiting[] = []

/**
 * Revocations that wait for the store, one line per subject: what was asked first is done first. Tried again with growing
 * pauses, at once when the store is said to be back, and before anything else is written of the subject.
 */
export class Queue {
  readonly #runtime: Runtime
  readonly #perform: (waiting: Waiting) => Promise<void>
  readonly #lines = new Map<string | null, Waiting[]>()
  readonly #working = new Map<string | null, Promise<void>>()
  #size = 0
  #pauseMs = FIRST_PAUSE_MS
  #timer: unknown
  #retrying: Promise<void> | undefined
  #closed = false

  /** @param perform - Does one for good; rejects when the store did not take it. */
  constructor(runtime: Runtime, perform: (waiting: Waiting) => Promise<void>) {
    this.#runtime = runtime
    this.#perform = perform
  }

  get size(): number {
    return this.#size
  }
  get isFull(): boolean {
    return this.#size >= MAX_WAITING
  }

  /** What waits of a subject, oldest first. `null`: what concerns everybody. */
  of(tag: string | null): readonly Waiting[] {
    return this.#lines.get(tag) ?? NONE
  }

  *all(): Iterable<Waiting> {
    for (const line of this.#lines.values()) yield* line
  }

  add(waiting: Waiting): void {
    const tag = tagOf(waiting.operation)
    const line = this.#lines.get(tag)
    if (line) line.push(waiting)
    else this.#lines.set(tag, [waiting])
    this.#size++
    this.#schedule()
  }

  /** Whether the very same was asked for last: somebody who presses a button again. */
  isLast(operation: Operation): boolean {
    const last = this.of(tagOf(operation)).at(-1)
    return last !== undefined && JSON.stringify(last.operation) === JSON.stringify(operation)
  }

  /** Does what waits of a subject. Rejects with the fault of the first that cannot be done now. */
  settle(tag: string | null): Promise<void> {
    if (!this.#lines.has(tag)) return Promise.resolve()
    const working = this.#working.get(tag)
    if (working) return working
    const work = this.#work(tag).finally(() => this.#working.delete(tag))
    this.#working.set(tag, work)
    return work
  }

  async #work(tag: string | null): Promise<void> {
    const line = this.#lines.get(tag)!
    let stuck: { readonly error: unknown } | undefined
    for (let at = 0; at < line.length; ) {
      try {
        await this.#perform(line[at]!)
        line.splice(at, 1)
        this.#size--
      } catch (error) {
        if (isAway(error)) throw error
        // One that the store can do nothing with stays, and does not hold up the others.
        stuck ??= { error }
        at++
      }
    }
    if (line.length === 0) this.#lines.delete(tag)
    if (stuck) throw stuck.error
  }

  /** The store is said to be back. */
  kick(): void {
    this.#pauseMs = FIRST_PAUSE_MS
    if (this.#size > 0) void this.#retry()
  }

  #schedule(): void {
    if (this.#closed || this.#timer !== undefined || this.#size === 0) return
    // Between half of the pause and all of it, so that many processes do not come back in step.
    const [byte] = this.#runtime.random(1)
    const ms = this.#pauseMs * (0.5 + byte! / 512)
    this.#timer = this.#runtime.timers.setTimeout(
      () => {
        this.#timer = undefined
        void this.#retry()
      },
      ms,
      'background',
    )
  }

  #retry(): Promise<void> {
    this.#retrying ??= this.#tryAll().finally(() => {
      this.#retrying = undefined
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS)
      this.#schedule()
    })
    return this.#retrying
  }

  async #tryAll(): Promise<void> {
    const tags = [...this.#lines.keys()]
    const next = async () => {
      for (let tag = tags.shift(); tag !== undefined; tag = tags.shift()) {
        try {
          await this.settle(tag)
        } catch (error) {
          this.#moveToEnd(tag)
          // A store that is away for some need not be asked for all.
          if (isAway(error)) return
        }
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, next))
  }

  /** So that subjects on a server that is away do not keep those on another from their turn. */
  #moveToEnd(tag: string | null): void {
    const line = this.#lines.get(tag)
    if (!line) return
    this.#lines.delete(tag)
    this.#lines.set(tag, line)
  }

  /** Tries for at most `withinMs`, and then no more. */
  async close(withinMs: number): Promise<void> {
    const { clock, timers } = this.#runtime
    const untilMs = clock.monotonicMs() + withinMs
    const pause = (ms: number) => new Promise<void>((resolve) => timers.setTimeout(resolve, ms))
    this.#closed = true
    timers.clearTimeout(this.#timer)
    while (this.#size > 0 && clock.monotonicMs() < untilMs) {
      const leftMs = untilMs - clock.monotonicMs()
      await Promise.race([this.#retry(), pause(leftMs)])
      if (this.#size > 0) await pause(Math.min(FIRST_PAUSE_MS, Math.max(0, untilMs - clock.monotonicMs())))
    }
  }
}
