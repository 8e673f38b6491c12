// The table of changes in the database: how it comes into one that is in use, how it is kept small, and what becomes of it
// when the database is moved to another server.
import { setTimeout as sleep } from 'node:timers/promises'
import { systemRuntime } from 'countersign'
import { samples } from 'countersign/conformance'
import type { Feed, Line, SessionId, Store } from 'countersign/stores/contract'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { statementsFor } from '../../src/stores/postgres/statements.ts'
import { ownServer, rawClient, readyStore, recordNow, until } from './postgres-kit.ts'

const { createRule, endRule, HOUR, MINUTE, subjectRef } = samples

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

/** A feed with everything that it told. */
function listen(store: Store) {
  const sessions = new Set<string>()
  const resets = new Set<Line>()
  let uses = 0
  const feed: Feed = store.sessions.changes!.open(
    {
      sessionChanged: (id) => sessions.add(id),
      revocationsChanged: () => undefined,
      reset: (line) => resets.add(line),
      floorRead: () => undefined,
      uses: () => ++uses,
    },
    systemRuntime.clock,
  )
  onTestFinished(() => feed.close())
  return { feed, sessions, resets }
}

/** The line on which the next change of a session is told. */
async function lineOf(feed: Feed, id: SessionId): Promise<Line> {
  let line: Line | undefined
  await until(async () => {
    line = (await feed.read(id)).line
    return line !== undefined
  })
  return line!
}

/** Until a poll that was sent after now has been answered; false when the line is over. */
async function polled(line: Line): Promise<boolean> {
  const nowMs = systemRuntime.clock.monotonicMs()
  await until(() => line.fencedMonotonicMs > nowMs || line.fencedMonotonicMs === Number.NEGATIVE_INFINITY)
  return line.fencedMonotonicMs > nowMs
}

async function setUp() {
  const url = await server.createDatabase()
  const store = await readyStore({ url })
  const raw = await rawClient(url)
  const create = async () => {
    const record = recordNow(store)
    await store.sessions.create({ ...record, stamped: true }, createRule, record.createdAtMs)
    return record.id
  }
  return { url, store, raw, create }
}
const rowsOf = async (raw: pg.Client) =>
  (await raw.query('SELECT count(*)::int AS n FROM countersign.changes')).rows[0].n as number

/** As it was before the third migration: what a release has that does not know of changes. */
const UNDO = `DROP FUNCTION countersign.sweep(bigint, bigint);
  ALTER FUNCTION countersign.sweep_records(bigint, bigint) RENAME TO sweep;
  DROP FUNCTION countersign.prune_changes(bigint, bigint);
  DROP FUNCTION countersign.tell_sessions() CASCADE; DROP FUNCTION countersign.tell_revocations() CASCADE;
  DROP FUNCTION countersign.tell_truncated() CASCADE;
  DROP TABLE countersign.changes;
  ALTER TABLE countersign.meta DROP COLUMN marks, DROP COLUMN mark, DROP COLUMN old_mark, DROP COLUMN marked_at_ms;
  DELETE FROM countersign.migrations WHERE id = 3`

describe('a fleet of two releases', () => {
  test('the schema comes under the load of the release before, fails nobody, and its writes are told', async () => {
    const { url, store: old, raw } = await setUp()
    await raw.query(UNDO)
    const failures: unknown[] = []
    let isOver = false
    let done = 0
    // What takes the tables in every order: refreshes, log-outs everywhere, log-ins that put others out, the sweep.
    const load = async (n: number) => {
      const ref = subjectRef()
      while (!isOver) {
        try {
          const record = { ...recordNow(old, ref), stamped: true }
          const now = record.createdAtMs
          await old.sessions.create(record, { ...createRule, limit: { max: 2, overflow: 'evict_oldest' } }, now)
          await old.sessions.setRoles(ref, [`role-${n}`], now)
          if (n % 2 === 0) await old.sessions.endSubject(ref, 'logout', {}, now)
          else await old.sessions.end(record.id, 'logout', endRule, now)
          await old.sessions.sweep!(now, 10)
          done++
        } catch (error) {
          failures.push(error)
        }
      }
    }
    const loads = Array.from({ length: 8 }, (_, n) => load(n))
    await sleep(200)
    const before = done
    const next = await readyStore({ url })
    const { feed, sessions } = listen(next)
    await until(() => done > before + 20)
    isOver = true
    await Promise.all(loads)
    expect(failures).toEqual([])
    expect(await server.log()).not.toContain('deadlock detected')

    const record = recordNow(old)
    await old.sessions.create(record, createRule, record.createdAtMs)
    await lineOf(feed, record.id)
    sessions.clear()
    await old.sessions.end(record.id, 'logout', endRule, record.createdAtMs)
    await until(() => sessions.has(record.id))
  })
})

describe('rows that are not needed any more', () => {
  test('go a minute after everybody can have seen them, and never one that a poll has not told', async () => {
    const { store, raw, create } = await setUp()
    const { feed, sessions, resets } = listen(store)
    const id = await create()
    const line = await lineOf(feed, id)
    let nowMs = store.lifecycle.nowMs()
    const ids: SessionId[] = []
    for (let n = 0; n < count(20, 200); n++) {
      ids.push(await create())
      // As quickly after the change as can be, and with minutes that pass as quickly.
      nowMs += n % 4 === 0 ? MINUTE : 0
      await store.sessions.sweep!(nowMs, 100)
    }
    const isWhole = await polled(line)
    // Minutes that pass within a poll: then the line has to be over.
    if (isWhole) for (const one of ids) expect(sessions).toContain(one)
    else expect(resets).toContain(line)

    await until(async () => polled(await lineOf(feed, id)))
    for (let n = 0; n < 4; n++) {
      nowMs += HOUR
      await store.sessions.sweep!(nowMs, 100)
      await polled(await lineOf(feed, id))
    }
    // What the last sweep itself has deleted of sessions is told too.
    expect(await rowsOf(raw)).toBeLessThan(10)
  })
})

test('a table that was emptied by hand is told as well', async () => {
  const { store, raw, create } = await setUp()
  const { feed, resets } = listen(store)
  const id = await create()
  const line = await lineOf(feed, id)
  expect(await polled(line)).toBe(true)
  await raw.query('TRUNCATE countersign.sessions')
  await until(() => resets.has(line))
  expect((await feed.read(id)).found).toEqual({ is: 'unknown' })
})

test('after a crash numbers come again, and only since a snapshot that is on the disk is every change found', async () => {
  const own = await ownServer({ wal_writer_delay: '10s', wal_writer_flush_after: '1GB', autovacuum: 'off' })
  const url = await own.createDatabase()
  const { text } = statementsFor('countersign').readChanges
  interface Poll {
    snapshot: string
    written: string
    flushed: string
    changes: [string, string[]][]
  }
  const poll = async (client: pg.Client, since: string | null) =>
    (await client.query<Poll>({ text, values: [since] })).rows[0]!
  const nextOf = ({ snapshot }: Poll) => BigInt(snapshot.split(':')[1]!)

  // Something else of the server may bring the log to the disk in between: then the crash forgets nothing.
  for (let tries = 0; ; tries++) {
    expect(tries).toBeLessThan(10)
    const store = await readyStore({ url })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    // Nobody who notices the crash: only the statement.
    await store.lifecycle.close()
    const raw = await rawClient(url)
    const safe = await poll(raw, null)
    if (BigInt(safe.written) > BigInt(safe.flushed)) continue
    await raw.query('SET synchronous_commit = off')
    for (let n = 0; n < 50; n++) await raw.query('SELECT pg_current_xact_id()')
    const unsafe = await poll(raw, safe.snapshot)
    if (BigInt(unsafe.written) <= BigInt(unsafe.flushed)) continue

    const { rows } = await raw.query('SELECT pg_backend_pid() AS pid')
    process.kill(rows[0].pid, 'SIGKILL')
    let back: pg.Client | undefined
    await until(async () => {
      back = await rawClient(url).catch(() => undefined)
      return back !== undefined
    })
    if (nextOf(await poll(back!, null)) >= nextOf(unsafe)) continue
    await back!.query(`SELECT countersign.end_session($1, 'logout', 0, true, $2)`, [record.id, record.createdAtMs])
    expect((await poll(back!, unsafe.snapshot)).changes.flatMap(([, keys]) => keys)).toEqual([])
    expect((await poll(back!, safe.snapshot)).changes.flatMap(([, keys]) => keys)).toContain(record.id)
    break
  }
})

describe('a dump that is restored on a server which has done less', () => {
  test('tells what happens there, and nothing of what happened on the other', async () => {
    const { store, raw, create } = await setUp()
    // What pg_dump brings along: numbers of transactions that this server will come to in years.
    const far = '1000000000000'
    await raw.query(`INSERT INTO countersign.changes (xid, kind, keys)
      SELECT '${far}', 'session', ARRAY['elsewhere'] FROM generate_series(1, 6000)`)
    await raw.query(`UPDATE countersign.meta
      SET marks = 7, mark = '${far}:${far}:', old_mark = '${far}:${far}:', marked_at_ms = 1`)
    const { feed, sessions } = listen(store)
    const id = await create()
    const line = await lineOf(feed, id)
    for (let n = 0; n < 2; n++) expect(await polled(line)).toBe(true)
    expect(sessions).not.toContain('elsewhere')

    // A sweep at the worst moment: after the change, before the poll.
    for (let n = 0; n < count(3, 30); n++) {
      const one = await create()
      let at = line
      // The sweep that finds out begins a new line.
      await until(async () => {
        at = await lineOf(feed, one)
        return polled(at)
      })
      sessions.clear()
      await store.sessions.end(one, 'logout', endRule, store.lifecycle.nowMs())
      await store.sessions.sweep!(store.lifecycle.nowMs(), 100)
      if (await polled(at)) expect(sessions).toContain(one)
    }
    expect(await rowsOf(raw)).toBeLessThan(1_000)
  })
})
