import type { Database, Statement } from './driver.ts'

const SQL = {
  begin: 'BEGIN IMMEDIATE',
  beginRead: 'BEGIN',
  commit: 'COMMIT',
  version: 'PRAGMA data_version',

  session: 'SELECT state, body FROM sessions WHERE id = ?',
  sessionsOf: 'SELECT id, body FROM sessions WHERE tag = ? AND state = ?',
  putSession: `INSERT INTO sessions (id, tag, state, deadline_ms, keep_until_ms, body) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET state = excluded.state, deadline_ms = excluded.deadline_ms,
      keep_until_ms = excluded.keep_until_ms, body = excluded.body`,
  dropSession: 'DELETE FROM sessions WHERE id = ?',

  gate: 'SELECT epoch, blocked, moved_at_ms FROM subjects WHERE tag = ?',
  putGate: `INSERT INTO subjects (tag, epoch, blocked, moved_at_ms) VALUES (?, ?, ?, ?)
    ON CONFLICT (tag) DO UPDATE SET epoch = excluded.epoch, blocked = excluded.blocked, moved_at_ms = excluded.moved_at_ms`,

  revocations: 'SELECT body FROM revocations WHERE tag = ?',
  putRevocations: `INSERT INTO revocations (tag, until_ms, body) VALUES (?, ?, ?)
    ON CONFLICT (tag) DO UPDATE SET until_ms = excluded.until_ms, body = excluded.body`,

  meta: 'SELECT marker, placement, floor_ms, floor_why FROM meta WHERE id = 1',
  setPlacement: 'UPDATE meta SET placement = ? WHERE id = 1 AND placement IS NULL',
  raiseFloor: 'UPDATE meta SET floor_ms = ?, floor_why = ? WHERE id = 1 AND floor_ms < ?',

  createAccount: `INSERT INTO accounts (tag, tenant, identifier, version, body) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`,
  accountByTag: 'SELECT body FROM accounts WHERE tag = ?',
  accountByIdentifier: 'SELECT body FROM accounts WHERE tenant = ? AND identifier = ?',
  replaceAccount: 'UPDATE accounts SET version = ?, body = ? WHERE tag = ?',

  putOnce: `INSERT INTO once (place, hash, until_ms, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (place) DO UPDATE SET hash = excluded.hash, until_ms = excluded.until_ms, body = excluded.body`,
  lookOnce: 'SELECT body FROM once WHERE place = ? AND hash = ? AND until_ms > ?',
  takeOnce: 'DELETE FROM once WHERE place = ? AND hash = ? AND until_ms > ? RETURNING body',
  claim: `INSERT INTO claims (scope, id, until_ms) VALUES (?, ?, ?)
    ON CONFLICT (scope, id) DO UPDATE SET until_ms = excluded.until_ms WHERE until_ms <= ?`,

  isAnythingOver: `SELECT EXISTS (SELECT 1 FROM sessions WHERE keep_until_ms <= ?1)
      OR EXISTS (SELECT 1 FROM revocations WHERE until_ms <= ?1)
      OR EXISTS (SELECT 1 FROM once WHERE until_ms <= ?1)
      OR EXISTS (SELECT 1 FROM claims WHERE until_ms <= ?1)
      OR EXISTS (SELECT 1 FROM subjects WHERE blocked = 0 AND moved_at_ms <= ?2) AS found`,
  sweepSessions: `DELETE FROM sessions WHERE rowid IN
    (SELECT rowid FROM sessions WHERE keep_until_ms <= ? ORDER BY keep_until_ms LIMIT ?)`,
  sweepRevocations: `DELETE FROM revocations WHERE rowid IN
    (SELECT rowid FROM revocations WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)`,
  sweepOnce: `DELETE FROM once WHERE rowid IN
    (SELECT rowid FROM once WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)`,
  sweepClaims: `DELETE FROM claims WHERE rowid IN
    (SELECT rowid FROM claims WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)`,
  sweepSubjects: `DELETE FROM subjects WHERE rowid IN
    (SELECT rowid FROM subjects WHERE blocked = 0 AND moved_at_ms <= ? ORDER BY moved_at_ms LIMIT ?)`,
} as const

export type Statements = { readonly [K in keyof typeof SQL]: Statement }

/** One open database with its prepared statements. Everything is synchronous, so no step ever meets another half done. */
export class Connection {
  readonly statements: Statements
  readonly #database: Database
  #level: 'FULL' | 'NORMAL' = 'FULL'

  /** @param database - Open, with the schema in place and `synchronous=FULL`. */
  constructor(database: Database) {
    this.#database = database
    const prepared = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)])
    this.statements = Object.fromEntries(prepared) as Statements
  }

  /**
   * All of `step` or nothing of it. `IMMEDIATE` takes the write lock first: a transaction that starts as a read fails
   * at once, whatever the timeout, when another process has written in between.
   *
   * @param weak - Not waiting for the disk: the write survives the process but may go with the power. Anything
   * written after it with full durability takes it along. Measured: 31 instead of 370 microseconds and more.
   */
  write<T>(step: () => T, weak: boolean): T {
    this.#setLevel(weak ? 'NORMAL' : 'FULL')
    return this.#within(this.statements.begin, step)
  }

  /** Several reads of one state of the database. */
  snapshot<T>(step: () => T): T {
    return this.#within(this.statements.beginRead, step)
  }

  /** Another number after every commit of another connection, the same after one of this connection. */
  version(): number {
    return (this.statements.version.get() as { data_version: number }).data_version
  }

  /** Moves the log into the database file as far as readers allow. `truncate` also empties the log, if nobody reads it. */
  checkpoint(how: 'passive' | 'truncate'): { readonly logPages: number } {
    const row = this.#database.prepare(`PRAGMA wal_checkpoint(${how})`).get() as { log?: number } | undefined
    return { logPages: row?.log ?? 0 }
  }

  close(): void {
    this.#database.close()
  }

  #within<T>(begin: Statement, step: () => T): T {
    begin.run()
    try {
      const result = step()
      this.statements.commit.run()
      return result
    } catch (error) {
      this.#rollback()
      throw error
    }
  }

  #rollback(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // SQLite has already undone it (disk full, input or output error); the first error is the one that counts.
    }
  }

  #setLevel(level: 'FULL' | 'NORMAL'): void {
    if (this.#level === level) return
    // Compiling this pragma is what executes it, so a prepared statement would change nothing the second time.
    this.#database.exec(`PRAGMA synchronous=${level}`)
    this.#level = level
  }
}
