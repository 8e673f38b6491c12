import { CountersignError } from '../../internal/errors.ts'
import type { Timers } from '../../internal/runtime.ts'
import type { Incarnation } from '../contract.ts'
import type { Confirmed, ConfirmRule, Executor, Reply } from './executor.ts'
import { timeoutFault } from './faults.ts'
import { Answer } from './outcome.ts'
import { scripts } from './scripts.generated.ts'

/** Longest time that a write may wait for replicas. */
export const MAX_WITHIN_MS = 10_000

export const UNCONFIRMED: Confirmed = Object.freeze({ replicas: 0, fsynced: false })

interface Waiting {
  readonly key: string
  readonly by: Incarnation
  readonly rule: ConfirmRule
  readonly done: (confirmed: Confirmed) => void
}

/**
 * `Executor.confirm` on one server: a mark with `WAIT` behind it, over a second connection that is opened when it is
 * first needed. Whoever comes while a `WAIT` is under way is in the next one, all together.
 *
 * The write itself has been made on the first connection, so it takes effect at once, also while the `WAIT` of somebody
 * else runs into its limit because a replica is gone. The mark is a later write of the same server, and replicas apply
 * writes in their order.
 */
export class ReplicaWait {
  readonly #open: () => Executor
  readonly #timers: Timers
  readonly #graceMs: number
  #line: Executor | undefined
  #next: Waiting[] = []
  #isRunning = false
  #closed = false

  /** @param graceMs - How much longer than `withinMs` the answer may take before the connection is given up. */
  constructor(open: () => Executor, timers: Timers, graceMs: number) {
    this.#open = open
    this.#timers = timers
    this.#graceMs = graceMs
  }

  confirm(key: string, by: Incarnation, rule: ConfirmRule): Promise<Confirmed> {
    if (this.#closed) return Promise.resolve(UNCONFIRMED)
    return new Promise((done) => {
      this.#next.push({ key, by, rule, done })
      if (!this.#isRunning) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#next.length > 0) {
      const batch = this.#next.splice(0)
      const { by, ...confirmed } = await this.#ask(batch)
      for (const waiting of batch) {
        const { fault } = confirmed
        waiting.done(waiting.by === by ? confirmed : { ...UNCONFIRMED, ...(fault && { fault }) })
      }
    }
    this.#isRunning = false
  }

  async #ask(batch: readonly Waiting[]): Promise<Confirmed & { readonly by?: Incarnation }> {
    const rules = batch.map(({ rule }) => rule)
    const rule: ConfirmRule = {
      replicas: Math.max(...rules.map(({ replicas }) => replicas)),
      withinMs: Math.max(...rules.map(({ withinMs }) => withinMs)),
      fsync: rules.some(({ fsync }) => fsync),
    }
    this.#line ??= this.#open()
    const line = this.#line
    try {
      // One that takes longer goes on connecting, for the next call.
      if (!line.isUp) await this.#within(rule.withinMs, line.connect())
      return await this.#within(rule.withinMs + this.#graceMs, ask(line, batch[0]!.key, rule))
    } catch (error) {
      // One that is connected and silent is dead.
      if (line.isUp && isTimeout(error)) {
        this.#line = undefined
        line.close().catch(() => {})
      }
      return { ...UNCONFIRMED, ...(error instanceof CountersignError && { fault: error }) }
    }
  }

  #within<T>(ms: number, promise: Promise<T>): Promise<T> {
    let timer: unknown
    const late = new Promise<never>((_resolve, reject) => {
      timer = this.#timers.setTimeout(() => reject(timeoutFault()), ms)
    })
    return Promise.race([promise, late]).finally(() => this.#timers.clearTimeout(timer))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#line?.close()
  }
}

async function ask(line: Executor, key: string, rule: ConfirmRule): Promise<Confirmed & { readonly by?: Incarnation }> {
  let isMarked = false
  const marking = line.run(scripts.markWrite, [key], []).then((reply) => {
    isMarked = true
    return new Answer([reply]).writer(0)
  })
  marking.catch(() => {})
  let counted = await count(line, key, rule)
  if (!isMarked) {
    // A mark that had to be sent twice came behind the WAIT, which then spoke of too little.
    await marking
    counted = await count(line, key, rule)
  }
  const { by } = await marking
  return { ...counted, ...(by !== undefined && { by }) }
}

async function count(line: Executor, key: string, { replicas, withinMs, fsync }: ConfirmRule): Promise<Confirmed> {
  const ms = String(withinMs)
  const [waited, synced] = await Promise.allSettled([
    replicas > 0 ? line.send(key, ['WAIT', String(replicas), ms]) : 0,
    // Not a number of replicas: those without an append-only file would never answer.
    fsync ? line.send(key, ['WAITAOF', '1', '0', ms]) : [0],
  ])
  const refused = [waited, synced].find(({ status }) => status === 'rejected') as PromiseRejectedResult | undefined
  return {
    replicas: numberOf(waited),
    fsynced: numberOf(synced) > 0,
    ...(refused?.reason instanceof CountersignError && { fault: refused.reason }),
  }
}

/** A number, or the first of a list of them. */
function numberOf(settled: PromiseSettledResult<Reply>): number {
  const reply = settled.status === 'fulfilled' ? settled.value : 0
  const first = Array.isArray(reply) ? (reply as readonly Reply[])[0] : reply
  return typeof first === 'number' ? first : 0
}

function isTimeout(error: unknown): boolean {
  return error instanceof CountersignError && error.code === 'ERR_STORE_TIMEOUT'
}
