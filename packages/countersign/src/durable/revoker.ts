import { CountersignError } from '../internal/errors.ts'
import type { Runtime } from '../internal/runtime.ts'
import { type SessionId, tagOfId } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { Context } from '../session/types.ts'
import type { ChangeFeed } from '../stores/contract.ts'
import { endOf, type Known } from './denials.ts'
import {
  type GuardedRevocations,
  type GuardedSessions,
  guardChanges,
  guardRevocations,
  guardSessions,
} from './guarded-store.ts'
import { ENDED_BY_OTHERS, Held, type Note } from './held.ts'
import type { Journal } from './journal.ts'
import { type Entry, Ledger, replay } from './ledger.ts'
import { type Done, isAway, type Operation, perform, type Stores, tagOf } from './operations.ts'
import { Queue, type Waiting } from './queue.ts'
import { type ReappliedCount, Reapplier } from './reapplier.ts'

/** How long what a primary has acknowledged is taken to be in danger of being lost by it. */
const KEEP_MS = 120_000
/** How long closing tries to get rid of what waits. */
const CLOSE_WITHIN_MS = 2_000

export interface RevokerOptions {
  readonly stores: Stores
  /** Absent: what waits, and what could be undone, is in the memory of this process and ends with it. */
  readonly journal: Journal | undefined
  readonly runtime: Runtime
  nowMs(): number
  /** How long an id that the store does not know is remembered. */
  readonly unknownMs: number
  readonly on: RevokerEvents
  /** Something of a subject, or (`null`) of everybody, waits from now on: what is kept in the process of it is void. */
  onWaiting?(tag: string | null): void
}

export interface RevokerEvents {
  /** The store has it. With `waitedMs` it had been waiting. */
  done(operation: Operation, done: Done, context: Context | undefined, waitedMs?: number): void
  /** The store does not take it. */
  queued(operation: Operation, fault: CountersignError, context: Context | undefined): void
  reapplied(count: ReappliedCount): void
  journalFailed(error: unknown): void
  /** Closed with revocations that still wait. `kept`: the journal has them, and whoever opens it next goes on. */
  left(waiting: number, kept: boolean): void
}

/**
 * Everything that ends sessions, blocks or demotes goes through here, and so does everything that could undo it:
 *
 * - A revocation that the store does not take is kept and tried again; meanwhile this process refuses what it would end.
 * - One that the store took is held for as long as a failover could undo it, and then done again.
 *
 * `docs/design/0007-durability-and-journal.md` has the reasoning.
 */
export class Revoker {
  /** The store without what waits to be ended. */
  readonly sessions: GuardedSessions
  readonly revocations: GuardedRevocations | undefined
  readonly changes: ChangeFeed | undefined
  readonly #options: RevokerOptions
  readonly #held = new Held()
  readonly #queue: Queue
  readonly #ledger: Ledger
  readonly #reapplier: Reapplier | undefined
  #number = 0
  #lastFault: CountersignError | undefined
  #closing: Promise<void> | undefined

  constructor(options: RevokerOptions) {
    const { stores, journal, runtime, on } = options
    const { sessions, revocations } = stores
    this.#options = options
    this.#ledger = new Ledger(
      journal,
      () => this.#entries(),
      (error) => on.journalFailed(error),
    )
    this.#queue = new Queue(runtime, (waiting) => this.#performWaiting(waiting))
    const { failovers } = sessions
    if (failovers) {
      this.#reapplier = new Reapplier({
        ...options,
        sessions,
        failovers,
        held: this.#held,
        keepMs: KEEP_MS,
        onReapplied: async (done, count) => {
          on.reapplied(count)
          for (const by of new Set(done.map((one) => one.by))) {
            const tags = done.filter((one) => one.by === by).map(({ tag }) => tag)
            await this.#ledger.write({ reapplied: tags, by })
          }
        },
      })
      failovers.onChange(() => this.#queue.kick())
    }
    const note = (id: SessionId, why: EndReason, by: string | undefined) => this.#noteEnded([id], why, by)
    this.sessions = guardSessions(sessions, this.#queue, note)
    this.revocations = revocations && guardRevocations(revocations, this.#queue)
    this.changes = sessions.changes && guardChanges(sessions.changes, this.#queue)
  }

  /** Reads the journal and goes on with what an earlier process left. Before any other call. */
  async open(): Promise<void> {
    for (const [number, { atMs, operation }] of replay(await this.#ledger.open(), this.#held)) {
      this.#queue.add({ number, atMs, operation, context: undefined })
      this.#number = Math.max(this.#number, number)
    }
    this.#queue.kick()
    await this.#reapplier?.check()
  }

  /**
   * @param whenAway - `queue`: a store that does not take it, or may not have, leaves it with us. `throw`: its fault is
   * the caller's.
   * @returns `queued` when nothing is done yet.
   */
  async revoke(
    operation: Operation,
    whenAway: 'queue' | 'throw' | undefined,
    context: Context | undefined,
  ): Promise<Done | 'queued'> {
    const { stores, nowMs, unknownMs, on } = this.#options
    try {
      // What was asked for earlier comes first, unless it never comes.
      await this.#queue.settle(tagOf(operation)).catch((error: unknown) => {
        if (isAway(error)) throw error
      })
      const atMs = nowMs()
      const done = await perform(stores, operation, atMs, unknownMs)
      await this.#note(operation, done, atMs)
      on.done(operation, done, context)
      return done
    } catch (error) {
      if (whenAway === 'throw' || !isAway(error)) throw error
      if (this.#queue.isLast(operation)) return 'queued'
      if (this.#queue.isFull) throw error
      await this.#enqueue(operation, error, context)
      return 'queued'
    }
  }

  async #enqueue(operation: Operation, fault: CountersignError, context: Context | undefined): Promise<void> {
    const waiting: Waiting = { number: ++this.#number, atMs: this.#options.nowMs(), operation, context }
    this.#lastFault = fault
    // Refused from here on by this process, whatever the journal takes.
    this.#queue.add(waiting)
    this.#options.onWaiting?.(tagOf(operation))
    this.#options.on.queued(operation, fault, context)
    await this.#ledger.write({ queued: waiting.number, atMs: waiting.atMs, operation })
  }

  async #performWaiting({ number, atMs, operation, context }: Waiting): Promise<() => Promise<void>> {
    const { stores, nowMs, unknownMs, on } = this.#options
    const askedMs = nowMs()
    const done = await perform(stores, operation, askedMs, unknownMs)
    await this.#note(operation, done, askedMs)
    return async () => {
      on.done(operation, done, context, Math.max(0, nowMs() - atMs))
      await this.#ledger.write({ done: number })
    }
  }

  /** Holds what the store has just acknowledged, until no failover can undo it any more. */
  async #note(operation: Operation, done: Done, atMs: number): Promise<void> {
    const { by, epoch } = done
    if (by === undefined) return
    const about = { tag: tagOf(operation), by, atMs, ...(epoch !== undefined && { epoch }) }
    const known = (done.ended ?? []).map((id) => [id, ENDED_BY_OTHERS] as const)
    switch (operation.is) {
      case 'session': {
        const { id, why } = operation
        return this.#hold({ ...about, sessions: [...known, [id, why], ...done.ids.map((one) => [one, why] as const)] })
      }
      case 'subject': {
        const { block } = operation.rule
        const sessions = [...known, ...done.ids.map((id) => [id, operation.why] as const)]
        return this.#hold({
          ...about,
          sessions,
          ...(block !== undefined && { block: { blocked: block, epoch: epoch! } }),
        })
      }
      case 'roles':
        return this.#hold({ ...about, roles: { names: operation.roles, epoch: epoch! } })
      case 'token':
        return this.#hold({ ...about, jtis: [[operation.jti, operation.untilMs]] })
      case 'everyone':
        return this.#hold({ ...about, floor: { notBeforeMs: done.notBeforeMs!, why: operation.why } })
    }
  }

  /** Sessions that ended beside what was asked for: by the limit, by reuse, by a step-up. */
  async #noteEnded(ids: readonly SessionId[], why: EndReason, by: string | undefined): Promise<void> {
    if (by === undefined || ids.length === 0) return
    await this.#hold({
      tag: ids[0]!.slice(0, 12),
      by,
      atMs: this.#options.nowMs(),
      sessions: ids.map((id) => [id, why]),
    })
  }

  async #hold(note: Note): Promise<void> {
    await this.#ledger.write({ held: this.#held.add(note) })
    // The primary may have gone between its answer and now.
    void this.#reapplier?.check()
  }

  #entries(): Entry[] {
    return [
      ...[...this.#held.notes()].map((held) => ({ held })),
      ...[...this.#queue.all()].map(({ number, atMs, operation }) => ({ queued: number, atMs, operation })),
    ]
  }

  /** Why this process refuses a session that a copy of its record, or the record itself, shows as live. */
  endOf(session: Known): EndReason | undefined {
    const asked = this.#queue.of(session.id.slice(0, 12))
    return asked.length === 0 ? undefined : endOf(asked, session)
  }

  /** Whether something waits for the store that could concern the session, whatever it is. */
  concerns(id: SessionId): boolean {
    return this.#queue.of(tagOfId(id)).length > 0 || this.#queue.of(null).length > 0
  }

  /** The store is said to be back. */
  storeIsBack(): void {
    this.#queue.kick()
  }

  /** How many revocations wait for the store. */
  get waiting(): number {
    return this.#queue.size
  }

  warnings(): string[] {
    const { waiting } = this
    const { dropped } = this.#held
    const code = this.#lastFault?.code ?? 'ERR_STORE_UNAVAILABLE'
    return [
      ...(waiting > 0
        ? [`revocations that wait for the store: ${waiting} (${code}); refused here, and not done yet (promise 2)`]
        : []),
      ...(dropped > 0 ? [`subjects whose revocations were too many to be held: ${dropped} (promise 3)`] : []),
      ...this.#ledger.warnings(),
    ]
  }

  /** @throws CountersignError `ERR_STORE_UNAVAILABLE` when revocations still wait and end with this process. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#queue.close(CLOSE_WITHIN_MS)
    this.#reapplier?.close()
    const { waiting } = this
    const kept = this.#ledger.isDurable
    if (waiting > 0) this.#options.on.left(waiting, kept)
    await this.#ledger.close()
    if (waiting > 0 && !kept) {
      const message = `revocations that still waited for the store and end with this process: ${waiting}; ask for them again`
      throw new CountersignError('ERR_STORE_UNAVAILABLE', message, { cause: this.#lastFault })
    }
  }
}
