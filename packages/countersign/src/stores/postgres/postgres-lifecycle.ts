import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Floor, Lifecycle, SessionStore, StoreDurability, StoreHealth } from '../contract.ts'
import { int } from '../shared/arguments.ts'
import { key, unkey } from '../shared/escapes.ts'
import { ServerClock } from '../shared/server-clock.ts'
import type { Row } from './driver.ts'
import type { PostgresExecutor } from './executor.ts'
import {
  closedFault,
  corruptFault,
  misconfiguredFault,
  notReadyFault,
  standbyFault,
  unreachableFault,
} from './faults.ts'
import { isUpToDate, MIGRATE_WITHIN_MS, migrate, newMarker } from './migrate.ts'
import type { ResolvedPostgresOptions } from './options.ts'
import { checkServer, judgeSettings, type ServerVerdict } from './server-check.ts'
import type { Statements } from './statements.ts'

/** How long `ready` tries to reach a server before it gives up. */
const CONNECT_WITHIN_MS = 10_000
const CONNECT_EVERY_MS = 250
/** Pause between questions to a server that has stopped answering. */
const PROBE_EVERY_MS = 1_000

/** Connecting, the schema, the start check, the time of the server, and the floor. */
export class PostgresLifecycle implements Lifecycle {
  readonly name = 'postgres'
  readonly #executor: PostgresExecutor
  readonly #sql: Statements
  readonly #options: Pick<ResolvedPostgresOptions, 'place' | 'schema'>
  readonly #runtime: Runtime
  readonly #clock: ServerClock
  readonly #ownWarnings: readonly string[]
  #placement: string | undefined
  #readying: Promise<void> | undefined
  #isReady = false
  #closed = false
  /** As the floor was read last: settings change, and a failover leads to a server with others. */
  #verdict: ServerVerdict = { warnings: [], durability: 'local' }
  #refused: CountersignError | undefined
  #probe: unknown

  constructor(
    executor: PostgresExecutor,
    sql: Statements,
    options: Pick<ResolvedPostgresOptions, 'place' | 'schema' | 'runtime'>,
    ownWarnings: readonly string[],
  ) {
    this.#executor = executor
    this.#sql = sql
    this.#options = options
    this.#runtime = options.runtime
    this.#clock = new ServerClock(options.runtime.clock)
    this.#ownWarnings = ownWarnings
    executor.onDown(() => this.#probeLater())
  }

  ready(placement: string): Promise<void> {
    if (this.#closed) return Promise.reject(closedFault())
    if (this.#isReady && this.#placement === placement)
      return this.#refused ? Promise.reject(this.#refused) : Promise.resolve()
    // One at a time: the next one may bring another fingerprint.
    if (this.#readying) return this.#readying.then(() => this.ready(placement))
    this.#readying = this.#makeReady(placement).finally(() => {
      this.#readying = undefined
    })
    return this.#readying
  }

  async #makeReady(placement: string): Promise<void> {
    const server = await this.#reach()
    checkServer(server)
    const isCurrent = server.has_schema === true && isUpToDate(await this.#one(this.#sql.readSchema))
    if (!isCurrent) {
      const work = this.#executor.session(
        (client) => migrate(client, this.#options.schema, this.#runtime),
        MIGRATE_WITHIN_MS,
      )
      await work
    }
    await this.#open(placement)
    this.#placement = placement
    await this.floor()
    this.#isReady = true
  }

  /** A server that is starting, or failing over, is waited for; one that refuses is not. */
  async #reach(): Promise<Row> {
    const { clock, timers } = this.#runtime
    const untilMs = clock.monotonicMs() + CONNECT_WITHIN_MS
    for (;;) {
      try {
        return await this.#one(this.#sql.readServer)
      } catch (error) {
        const code = error instanceof CountersignError ? error.code : undefined
        if (code !== 'ERR_STORE_UNAVAILABLE' && code !== 'ERR_STORE_TIMEOUT') throw error
        if (clock.monotonicMs() + CONNECT_EVERY_MS >= untilMs)
          throw unreachableFault(this.#options.place, CONNECT_WITHIN_MS, error)
        await new Promise<void>((resolve) => timers.setTimeout(resolve, CONNECT_EVERY_MS))
      }
    }
  }

  async #open(placement: string): Promise<void> {
    const { placement: kept } = await this.#one(this.#sql.openStore, [newMarker(this.#runtime), key(placement)])
    if (kept !== key(placement)) throw otherPlacement()
  }

  async #one(statement: Statements[keyof Statements], values: readonly unknown[] = []): Promise<Row> {
    const [row] = await this.#executor.run(statement, values)
    if (!row) throw corruptFault('the answer of a statement')
    return row
  }

  /** Before every call: nothing is asked of a store that is not the one that it was. */
  guard(): void {
    if (this.#closed) throw closedFault()
    if (!this.#isReady) throw notReadyFault()
    if (this.#refused) throw this.#refused
  }

  durability(): StoreDurability {
    return this.#verdict.durability
  }

  /** One round trip; also brings the server's time and settings. A store that was emptied gets a new marker. */
  async floor(): Promise<Floor> {
    if (this.#closed) throw closedFault()
    if (this.#placement === undefined) throw notReadyFault()
    let row = await this.#readFloor()
    if (!row) {
      await this.#open(this.#placement)
      row = await this.#readFloor()
      if (!row) throw corruptFault('the floor')
    }
    return floorOf(row)
  }

  /**
   * What the store has changed since `snapshot`, with the floor; `undefined` for a store that was emptied. One round trip,
   * which also brings the server's time and settings.
   */
  async changes(snapshot: string | null): Promise<{ readonly row: Row; readonly floor: Floor } | undefined> {
    this.guard()
    const askedAtMs = this.#clock.ask()
    const [row] = await this.#executor.poll(this.#sql.readChanges, [snapshot])
    if (!row) return undefined
    this.#take(row, askedAtMs)
    return { row, floor: floorOf(row) }
  }

  async #readFloor(): Promise<Row | undefined> {
    const askedAtMs = this.#clock.ask()
    const [row] = await this.#executor.run(this.#sql.readFloor, [])
    if (!row) return undefined
    this.#take(row, askedAtMs)
    return row
  }

  #take(row: Row, askedAtMs: number): void {
    this.#refused = row.placement === key(this.#placement!) ? undefined : otherPlacement()
    if (row.is_standby !== false) this.#refused = standbyFault()
    if (this.#refused) {
      this.#probeLater()
      throw this.#refused
    }
    this.#clock.learn(row.server_ms as number, askedAtMs)
    this.#verdict = judgeSettings(row)
  }

  readonly raiseFloor: SessionStore['raiseFloor'] = async (why, nowMs) => {
    const row = await this.#one(this.#sql.raiseFloor, [key(why), int(nowMs, 'nowMs')])
    return { notBeforeMs: row.floor_ms as number, durability: this.durability() }
  }

  health(): StoreHealth {
    const refused = this.#refused ? [this.#refused.message] : []
    const settings = this.#isReady ? this.#verdict.warnings : []
    const up = this.#isReady && this.#executor.isUp && !this.#refused
    // A full disk refuses writes; nothing is ever dropped to make room.
    return { up, keepsAll: true, warnings: [...refused, ...settings, ...this.#ownWarnings] }
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  /** So that `health` does not stay "down" for want of calls: a process that is down may be given none. */
  #probeLater(): void {
    if (this.#closed || !this.#isReady || this.#probe !== undefined) return
    const { timers, random } = this.#runtime
    const jitterMs = (random(1)[0]! / 255) * PROBE_EVERY_MS
    const probe = () => {
      this.#probe = undefined
      if (this.#closed) return
      this.floor().catch(() => this.#probeLater())
    }
    this.#probe = timers.setTimeout(probe, PROBE_EVERY_MS / 2 + jitterMs, 'background')
  }

  close(): Promise<void> {
    this.#closed = true
    this.#runtime.timers.clearTimeout(this.#probe)
    return this.#executor.close()
  }
}

function floorOf(row: Row): Floor {
  return { notBeforeMs: row.floor_ms as number, why: unkey(row.floor_why as string), marker: row.marker as string }
}

function otherPlacement(): CountersignError {
  return misconfiguredFault('was set up with another placement key')
}
