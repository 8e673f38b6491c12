import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { toBase64url } from '../../internal/bytes.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { judgeSchema, type SchemaVersion, schemaProblem } from '../shared/schema-version.ts'
import { Connection } from './connection.ts'
import { type Database, loadDriver } from './driver.ts'
import { fault, faultOf, resultCode } from './faults.ts'
import { migrations } from './migrations.generated.ts'
import { BUSY_TIMEOUT_MS, type Turns } from './turns.ts'

/** 'CSGN': says in the file's header whose it is. */
const APPLICATION_ID = 0x4353474e
// After a burst the log gives its space back down to this many bytes.
const LOG_BYTES = 64 * 1024 * 1024
const SMALLEST_BYTES = 512
const CANNOT_OPEN = 14
const NOT_A_DATABASE = 26

export interface Opened {
  readonly connection: Connection
  /** For `health()`. */
  readonly warnings: readonly string[]
}

/**
 * Opens the file, makes it and its folder if they are not there, and brings its schema up to date.
 *
 * @param path - Absolute.
 * @param turns - Waits for other processes that open the same file.
 * @throws CountersignError `ERR_STORE_MISCONFIGURED` when the file is no database, or of another application, or of a
 * newer release, or lies where SQLite cannot keep a log beside it; `ERR_STORE_TIMEOUT`; `ERR_STORE_UNAVAILABLE`.
 */
export async function openDatabase(path: string, turns: Turns, runtime: Runtime): Promise<Opened> {
  const { DatabaseSync } = await loadDriver()
  const warnings = prepareFile(path)
  let database: Database
  try {
    database = new DatabaseSync(path)
  } catch (error) {
    throw resultCode(error) === CANNOT_OPEN ? misconfigured('cannot be opened', error) : faultOf(error)
  }
  try {
    return { connection: await prepareDatabase(database, turns, runtime), warnings }
  } catch (error) {
    database.close()
    throw faultOf(error)
  }
}

/** Settings, schema and statements of an open database. */
export async function prepareDatabase(database: Database, turns: Turns, runtime: Runtime): Promise<Connection> {
  await turns.run(() => configure(database))
  await turns.run(() => migrate(database, runtime))
  return new Connection(database)
}

/**
 * Owner only: the folder 0700, the file 0600; SQLite gives its log files the mode of the database. A file that exists
 * is never opened here: closing it would drop every POSIX lock that this process holds on it, and another store in
 * this process may have it open (https://www.sqlite.org/howtocorrupt.html, section 2.2).
 */
function prepareFile(path: string): string[] {
  const folder = dirname(path)
  try {
    const firstMade = mkdirSync(folder, { recursive: true, mode: 0o700 })
    if (firstMade !== undefined) keepNames(firstMade, folder)
    const descriptor = createNew(path)
    if (descriptor !== undefined) closeSync(descriptor)
  } catch (error) {
    throw misconfigured('cannot be made', error)
  }
  const stat = statSync(path)
  if (!stat.isFile()) throw misconfigured('is not a file')
  // SQLite takes anything shorter than its smallest database for a new one, and would write over it.
  if (stat.size > 0 && stat.size < SMALLEST_BYTES) throw misconfigured('is not a SQLite database')
  const isOpenToOthers = process.platform !== 'win32' && (stat.mode & 0o077) !== 0
  return isOpenToOthers ? ['other users of this machine can use the database file; its mode should be 0600'] : []
}

/**
 * Puts the names of new folders on the disk, which syncing what is inside them does not promise (POSIX, `fsync`). SQLite
 * does it for the files themselves.
 */
function keepNames(firstMade: string, folder: string): void {
  for (let made = folder; made.length >= firstMade.length; made = dirname(made)) {
    try {
      const parent = openSync(dirname(made), 'r')
      try {
        fsyncSync(parent)
      } finally {
        closeSync(parent)
      }
    } catch {
      // Not for us to read, or a system that syncs no folders. SQLite goes on here, too.
    }
  }
}

function createNew(path: string): number | undefined {
  try {
    return openSync(path, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  }
}

function configure(database: Database): void {
  database.exec(`PRAGMA busy_timeout=${BUSY_TIMEOUT_MS}`)
  let mode: unknown
  try {
    refuseOthers(database)
    mode = (database.prepare('PRAGMA journal_mode=WAL').get() as { journal_mode: unknown }).journal_mode
  } catch (error) {
    throw resultCode(error) === NOT_A_DATABASE ? misconfigured('is not a SQLite database', error) : error
  }
  if (mode !== 'wal') throw misconfigured('lies where SQLite cannot keep its log; use a local disk')
  // The peer is built with NORMAL as the default for WAL, the built-in one with FULL: never rely on either.
  // fullfsync is what makes an fsync reach the disk on macOS, and nothing elsewhere.
  database.exec(`PRAGMA synchronous=FULL; PRAGMA fullfsync=ON; PRAGMA checkpoint_fullfsync=ON;
    PRAGMA journal_size_limit=${LOG_BYTES}; PRAGMA trusted_schema=OFF`)
}

function refuseOthers(database: Database): void {
  const owner = numberFrom(database, 'PRAGMA application_id')
  if (owner === APPLICATION_ID) return
  if (owner !== 0 || numberFrom(database, 'SELECT count(*) FROM sqlite_schema') > 0) {
    throw misconfigured('holds the data of another application; Countersign needs a file of its own')
  }
}

/** Applies what is missing, each migration once, all in one transaction. Several processes may start at the same time. */
function migrate(database: Database, runtime: Runtime): void {
  if (isUpToDate(database)) return
  database.exec('BEGIN IMMEDIATE')
  try {
    refuseOthers(database)
    const { applied } = schemaIn(database)
    if (applied === 0) {
      database.exec(`PRAGMA application_id=${APPLICATION_ID}`)
      database.exec(`CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at_ms INTEGER NOT NULL,
        readable_from INTEGER NOT NULL) STRICT`)
    }
    const insert = database.prepare(
      'INSERT INTO migrations (id, name, applied_at_ms, readable_from) VALUES (?, ?, ?, ?)',
    )
    for (const { id, name, readableFrom, sql } of migrations.slice(applied)) {
      database.exec(sql)
      insert.run(id, name, Math.floor(runtime.clock.nowMs()), readableFrom)
    }
    const marker = toBase64url(runtime.random(12))
    database.prepare('INSERT INTO meta (id, marker) VALUES (1, ?) ON CONFLICT DO NOTHING').run(marker)
    database.exec('COMMIT')
  } catch (error) {
    database.exec('ROLLBACK')
    throw error
  }
}

function isUpToDate(database: Database): boolean {
  const version = schemaIn(database)
  const verdict = judgeSchema(version, migrations.length)
  if (verdict === 'refused') {
    const why = schemaProblem(version, migrations.length)
    throw misconfigured(`was written by a newer release of Countersign (${why})`)
  }
  return verdict === 'current'
}

/** Migrations are numbered from 1 without a gap. */
function schemaIn(database: Database): SchemaVersion {
  const exists = numberFrom(database, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'")
  if (exists === 0) return { applied: 0, readableFrom: 0 }
  return {
    applied: numberFrom(database, 'SELECT coalesce(max(id), 0) FROM migrations'),
    readableFrom: numberFrom(database, 'SELECT coalesce(max(readable_from), 0) FROM migrations'),
  }
}

function numberFrom(database: Database, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() as Record<string, unknown>)[0])
}

function misconfigured(problem: string, cause?: unknown): Error {
  return fault('ERR_STORE_MISCONFIGURED', `"file" ${problem}`, cause)
}
