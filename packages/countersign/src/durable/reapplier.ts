import type { Runtime } from '../internal/runtime.ts'
import type { Failovers, SessionStore } from '../stores/contract.ts'
import type { Due, Held } from './held.ts'

/** How often the store is asked who it is while something is held: a failover behind a proxy breaks no connection. */
const LOOK_EVERY_MS = 500
/** Subjects that are done again at once. */
const AT_ONCE = 16

/** How much was done again. */
export interface ReappliedCount {
  readonly subjects: number
  /** Of them: those of which the store had lost something. */
  readonly lost: number
  /** Sessions that were alive again. */
  readonly ended: number
}

export interface ReapplierOptions {
  readonly sessions: SessionStore
  readonly failovers: Failovers
  readonly held: Held
  readonly runtime: Runtime
  nowMs(): number
  /** How long what a primary has acknowledged may be lost by it. */
  readonly keepMs: number
  /** How long an id that the store does not know is remembered. */
  readonly unknownMs: number
  /** What was done again; resolves when the journal has it. */
  onReapplied(done: readonly Due[], count: ReappliedCount): Promise<void>
}

/**
 * Does again what is held as soon as the store is another one than the one that acknowledged it. Looks only while
 * something is held; tries again until all of it is done.
 */
export class Reapplier {
  readonly #options: ReapplierOptions
  #timer: unknown
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(options: ReapplierOptions) {
    this.#options = options
    options.failovers.onChange(() => void this.check())
  }

  /** Something may be due. Resolves when what is due has been done, or could not be. */
  check(): Promise<void> {
    this.#schedule()
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  #schedule(): void {
    const { held, runtime } = this.#options
    if (this.#closed || this.#timer !== undefined || held.size === 0) return
    this.#timer = runtime.timers.setTimeout(() => void this.#look(), LOOK_EVERY_MS, 'background')
  }

  async #look(): Promise<void> {
    const { failovers, held, keepMs, nowMs } = this.#options
    try {
      await failovers.look()
      // Only what was seen to be there just now grows old.
      held.prune(nowMs(), keepMs, failovers.incarnationOf)
    } catch {
      // An outage. Nothing is forgotten, and the next look is half a second away.
    }
    this.#timer = undefined
    await this.check()
  }

  async #run(): Promise<void> {
    const { failovers, held, onReapplied } = this.#options
    while (this.#again && !this.#closed) {
      this.#again = false
      const due = held.due(failovers.incarnationOf)
      if (due.length === 0) continue
      const done: Due[] = []
      const count = { subjects: 0, lost: 0, ended: 0 }
      const left = [...due]
      const next = async () => {
        for (let one = left.shift(); one !== undefined; one = left.shift()) {
          const result = await this.#reapply(one)
          if (held.confirm({ ...one, by: result.by })) done.push({ ...one, by: result.by })
          count.subjects++
          count.ended += result.ended
          if (result.lost) count.lost++
        }
      }
      // One that fails does not keep the others; the next look comes back to it.
      await Promise.allSettled(Array.from({ length: AT_ONCE }, next))
      if (count.subjects > 0) await onReapplied(done, count)
    }
  }

  async #reapply({ tag, by }: Due): Promise<{ readonly by: string; readonly lost: boolean; readonly ended: number }> {
    const { failovers, held, sessions, nowMs, unknownMs } = this.#options
    const lost = tag === null ? undefined : held.lost(tag, nowMs() + unknownMs)
    if (tag !== null && lost) {
      const done = await failovers.reapply(tag, lost, nowMs())
      return { by: done.by ?? by, lost: done.lost, ended: done.ids.length }
    }
    const floor = tag === null ? held.floor() : undefined
    if (!floor) return { by, lost: false, ended: 0 }
    const before = await sessions.floor()
    const done = await sessions.raiseFloor(floor.why, floor.notBeforeMs)
    return { by: done.by ?? by, lost: before.notBeforeMs < floor.notBeforeMs, ended: 0 }
  }

  close(): void {
    this.#closed = true
    this.#options.runtime.timers.clearTimeout(this.#timer)
  }
}
