import { resolve } from 'node:path'
import { type Duration, durationMs } from '../../internal/duration.ts'
import { type CountersignError, type ErrorCode, invalidOption } from '../../internal/errors.ts'
import { forwardNow } from '../../internal/forward-now.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { Floor, Store } from '../contract.ts'
import { key, unkey } from '../shared/escapes.ts'
import { EPOCH_KEEP_MS } from '../steps/shard.ts'
import { type Section, stepStore } from '../steps/step-store.ts'
import type { Connection, Statements } from './connection.ts'
import { fault } from './faults.ts'
import { type Opened, openDatabase } from './open-database.ts'
import { sqliteAccounts } from './sqlite-accounts.ts'
import { SqliteFeed } from './sqlite-feed.ts'
import { sqliteOnce } from './sqlite-once.ts'
import { SqliteShard } from './sqlite-shard.ts'
import { Turns } from './turns.ts'

export interface SqliteStoreOptions {
  /**
   * Path of the database. It and its folder are made when they are not there, for the owner only. On a local disk:
   * SQLite's locks and log do not work over a network. Never removed, and of no use to anybody but Countersign.
   */
  readonly file: string
  /**
   * How long a call waits for the lock when another process writes, before it throws `ERR_STORE_TIMEOUT`. 100 ms to
   * 60 s. Default `'2s'`.
   */
  readonly busyDeadline?: Duration
  /** Clock, random source and timers. Default: the platform's. */
  readonly runtime?: Runtime
}

// Pages of 4 KiB in the log beyond which the sweep tries to empty it. SQLite itself only moves on when nobody reads.
const LONG_LOG_PAGES = 16_384

const OUTAGES: ReadonlySet<ErrorCode | undefined> = new Set([
  'ERR_STORE_MISCONFIGURED',
  'ERR_STORE_TIMEOUT',
  'ERR_STORE_UNAVAILABLE',
])

/**
 * A store in one SQLite file, for a server on one machine; several processes may share the file. Every write has
 * reached the disk when it is acknowledged (`fsynced`), except that the last touches may be lost with the power.
 *
 * The file is opened by `lifecycle.ready` or by the first call.
 *
 * @remarks Cost: one transaction per write, one statement per read of a session.
 * @throws CountersignError `ERR_CONFIG_INVALID` when an option is wrong. Every call of the store: `ERR_STORE_TIMEOUT`
 * with `retryable: true` when the lock was not had in time, `ERR_STORE_UNAVAILABLE` when the disk is full or failed,
 * `ERR_STORE_CORRUPT`, `ERR_CLOSED`; until the file has been opened also `ERR_STORE_MISCONFIGURED`.
 */
export function sqliteStore(options: SqliteStoreOptions): Store {
  const { path, busyDeadlineMs, runtime } = resolveOptions(options)
  const nowMs = forwardNow(runtime.clock)
  const writes = new Turns(runtime, busyDeadlineMs)
  const reads = new Turns(runtime, busyDeadlineMs)
  let opening: Promise<Opened> | undefined
  let opened: Opened | undefined
  let closing: Promise<void> | undefined
  const underWay = new Set<Promise<unknown>>()
  let failed = false

  const connect = async (): Promise<Connection> => {
    if (closing) throw fault('ERR_CLOSED', 'the SQLite store is closed')
    if (opened) return opened.connection
    opening ??= openDatabase(path, writes, runtime).catch((error) => {
      opening = undefined // so that the next call tries again
      throw error
    })
    opened = await opening
    return opened.connection
  }
  const run = <T>(turns: Turns, step: (connection: Connection) => T): Promise<T> => {
    const call = connect().then((connection) => turns.run(() => step(connection)))
    underWay.add(call)
    return call.then(
      (done) => {
        underWay.delete(call)
        failed = false
        return done
      },
      (error) => {
        underWay.delete(call)
        failed ||= OUTAGES.has((error as Partial<CountersignError>).code)
        throw error
      },
    )
  }
  const write = <T>(step: (sql: Statements) => T, weak = false): Promise<T> =>
    run(writes, (connection) => connection.write(() => step(connection.statements), weak))
  const read = <T>(step: (sql: Statements) => T): Promise<T> => run(reads, ({ statements }) => step(statements))

  const section: Section = {
    durability: 'fsynced',
    write: (tag, step, how) =>
      run(writes, (connection) => {
        const shard = new SqliteShard(tag, connection.statements, how === 'ending')
        try {
          return connection.write(() => {
            const done = step(shard)
            shard.flush()
            return done
          }, how === 'weak')
        } finally {
          // A commit that failed may still have been one.
          feed.changed(shard.changes)
        }
      }),
    read(tag, step, snapshot) {
      const once = (sql: Statements) => step(new SqliteShard(tag, sql, false))
      if (snapshot === undefined) return read(once)
      return run(reads, (connection) => connection.snapshot(() => once(connection.statements)))
    },
  }

  const { sessions, revocations } = stepStore(section, {
    floor: () => read((sql) => metaIn(sql).floor),
    raiseFloor: (why, atMs) =>
      write((sql) => {
        sql.raiseFloor.run(atMs, key(why), atMs)
        return { notBeforeMs: metaIn(sql).floor.notBeforeMs, durability: 'fsynced' }
      }),
    async sweep(atMs, limit) {
      // Asked first: with nothing to do, nobody is kept from writing.
      if (!(await read((sql) => isAnythingOver(sql, atMs)))) return 0
      const gone = await write((sql) => sweep(sql, atMs, limit), true)
      await run(writes, (connection) => {
        if (connection.checkpoint('passive').logPages > LONG_LOG_PAGES) connection.checkpoint('truncate')
      })
      return gone
    },
  })

  const feed = new SqliteFeed({
    sessions,
    revocations,
    open: () => read(() => undefined),
    version: () => opened?.connection.version(),
  })

  const close = async () => {
    await Promise.allSettled(underWay)
    feed.end()
    const connection = opened?.connection
    opened = undefined
    if (!connection) return
    try {
      connection.checkpoint('truncate')
    } catch {
      // Somebody else is at it. The log stays beside the file and is read at the next start.
    }
    connection.close()
  }

  return {
    sessions: { ...sessions, changes: feed },
    revocations,
    accounts: sqliteAccounts({ write, read }),
    once: sqliteOnce({ write, read }),
    lifecycle: {
      name: 'sqlite',
      async ready(placement) {
        const kept = await read((sql) => metaIn(sql).placement)
        const now =
          kept ??
          (await write((sql) => {
            sql.setPlacement.run(key(placement))
            return metaIn(sql).placement
          }))
        if (now === placement) return
        throw fault('ERR_STORE_MISCONFIGURED', 'this store was made with another placement key')
      },
      health: () => ({
        up: opened !== undefined && !failed && !closing,
        keepsAll: true,
        warnings: opened?.warnings ?? [],
      }),
      nowMs,
      close: () => (closing ??= close()),
    },
  }
}

interface Meta {
  readonly floor: Floor
  /** `null` before the first start has finished. */
  readonly placement: string | null
}

function metaIn(sql: Statements): Meta {
  const row = sql.meta.get() as Record<string, unknown> | undefined
  if (!row) throw fault('ERR_STORE_CORRUPT', 'the database has lost its marker')
  const { marker, placement, floor_ms, floor_why } = row as Record<string, string>
  return {
    floor: { notBeforeMs: Number(floor_ms), why: unkey(floor_why!), marker: marker! },
    placement: placement == null ? null : unkey(placement),
  }
}

function isAnythingOver(sql: Statements, nowMs: number): boolean {
  return (sql.isAnythingOver.get(nowMs, nowMs - EPOCH_KEEP_MS) as { found: number }).found === 1
}

function sweep(sql: Statements, nowMs: number, limit: number): number {
  let gone = Number(sql.sweepSessions.run(nowMs, limit).changes)
  gone += Number(sql.sweepRevocations.run(nowMs, limit - gone).changes)
  gone += Number(sql.sweepOnce.run(nowMs, limit - gone).changes)
  gone += Number(sql.sweepClaims.run(nowMs, limit - gone).changes)
  gone += Number(sql.sweepSubjects.run(nowMs - EPOCH_KEEP_MS, limit - gone).changes)
  return gone
}

function resolveOptions(options: SqliteStoreOptions) {
  const { file, busyDeadline = '2s', runtime = systemRuntime, ...unknown } = options
  const [stray] = Object.keys(unknown)
  if (stray !== undefined) throw invalidOption(stray, 'is not an option of sqliteStore')
  if (typeof file !== 'string' || file === '' || file.includes('\0')) throw invalidOption('file', 'must be a path')
  if (file === ':memory:' || file.startsWith('file:')) {
    throw invalidOption('file', 'must be a path on disk; for a store without one there is memoryStore')
  }
  return { path: resolve(file), busyDeadlineMs: durationMs(busyDeadline, 'busyDeadline', 100, 60_000), runtime }
}
