// The tables and functions in the database: how they get there, who may use them, what is done with what does not fit.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { migrations } from '../../src/stores/postgres/migrations.generated.ts'
import { outcome, rawClient, readyStore, recordNow, storeOf } from './postgres-kit.ts'

const { createRule, DAY, endRule, HOUR, MINUTE, refresh, SECOND, sessionId, subjectRef } = samples

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const misconfigured = { code: 'ERR_STORE_MISCONFIGURED', store: 'postgres' }

describe('migrations', () => {
  test('four processes that start together on an empty database agree on one store', async () => {
    const url = await server.createDatabase()
    const child = fileURLToPath(new URL('postgres-child.ts', import.meta.url))
    const start = () => promisify(execFile)(process.execPath, ['--import', 'tsx', child, 'start', url])
    const said = await Promise.all(Array.from({ length: 4 }, start))
    expect(new Set(said.map(({ stdout }) => stdout)).size).toBe(1)
    const raw = await rawClient(url)
    const { rows } = await raw.query('SELECT id, name FROM countersign.migrations ORDER BY id')
    expect(rows).toEqual(migrations.map(({ id, name }) => ({ id, name })))
  })

  test('twelve stores in one process, too, and what one has applied the others do not wait for', async () => {
    const url = await server.createDatabase()
    const stores = Array.from({ length: 12 }, () => storeOf({ url, poolSize: 2 }))
    await Promise.all(stores.map((store) => store.lifecycle.ready('fingerprint')))
    const floors = await Promise.all(stores.map((store) => store.sessions.floor()))
    expect(new Set(floors.map(({ marker }) => marker)).size).toBe(1)
  })

  test('a migration that fails leaves nothing behind', async () => {
    const url = await server.createDatabase()
    const raw = await rawClient(url)
    // The last table of the first migration is in the way.
    await raw.query('CREATE SCHEMA countersign; CREATE TABLE countersign.accounts (theirs text)')
    const error = await outcome(storeOf({ url }).lifecycle.ready('fingerprint'))
    expect(error).toMatchObject({ ...misconfigured, message: expect.stringContaining('another application') })
    const { rows } = await raw.query(`SELECT relname FROM pg_class WHERE relnamespace = 'countersign'::regnamespace`)
    expect(rows).toEqual([{ relname: 'accounts' }])
    await raw.query('DROP TABLE countersign.accounts')
    await readyStore({ url })
  })

  test('data of a newer release is refused, unless that only added to it', async () => {
    const url = await server.createDatabase()
    await readyStore({ url })
    const raw = await rawClient(url)
    const [known, next] = [migrations.length, migrations.length + 1]
    // One that only adds: whoever knows the one before may go on, and start again.
    await raw.query(`INSERT INTO countersign.migrations VALUES (${next}, 'later', 0, ${known})`)
    await readyStore({ url })
    await raw.query(`UPDATE countersign.migrations SET readable_from = ${next} WHERE id = ${next}`)
    const error = await outcome(storeOf({ url }).lifecycle.ready('fingerprint'))
    const message = `newer release of Countersign (schema ${next}, which releases from schema ${next} on can use, and this release knows ${known})`
    expect(error).toMatchObject({ ...misconfigured, message: expect.stringContaining(message) })
  })

  test('two schemas of one database are two stores', async () => {
    const url = await server.createDatabase()
    const [a, b] = [await readyStore({ url, schema: 'a' }), await readyStore({ url, schema: 'b' })]
    const { notBeforeMs } = await b.sessions.raiseFloor('admin', b.lifecycle.nowMs() + DAY)
    expect((await a.sessions.floor()).notBeforeMs).toBeLessThan(notBeforeMs)
    expect((await a.sessions.floor()).marker).not.toBe((await b.sessions.floor()).marker)
  })
})

describe('a store that was emptied', () => {
  test('has another marker, and is ready again by itself', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const { marker } = await store.sessions.floor()
    const raw = await rawClient(url)
    const lostAtMs = store.lifecycle.nowMs()
    await raw.query('TRUNCATE countersign.meta, countersign.sessions, countersign.subjects')
    const floor = await store.sessions.floor()
    expect(floor.marker).toMatch(/^[\w-]{16}$/)
    expect(floor.marker).not.toBe(marker)
    // What is older may have been ended by the floor that was lost.
    expect(floor).toMatchObject({ why: 'rolled_back' })
    // How exactly the server's time is known depends on how long its answer took.
    expect(floor.notBeforeMs).toBeGreaterThan(lostAtMs - 60_000)
  })

  test('of its tables too is a misconfiguration, and a start makes them again', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const raw = await rawClient(url)
    await raw.query('DROP SCHEMA countersign CASCADE')
    expect(await outcome(store.sessions.read(sessionId(subjectRef())))).toMatchObject(misconfigured)
    await readyStore({ url })
    expect(await store.sessions.read(sessionId(subjectRef()))).toEqual({ is: 'unknown' })
  })

  test('and set up by somebody else is used no more', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const raw = await rawClient(url)
    await raw.query(`UPDATE countersign.meta SET placement = 'another'`)
    await expect(store.sessions.floor()).rejects.toMatchObject(misconfigured)
    await expect(store.sessions.read(sessionId(subjectRef()))).rejects.toMatchObject(misconfigured)
    expect(store.lifecycle.health().up).toBe(false)
    await raw.query(`UPDATE countersign.meta SET placement = 'fingerprint'`)
    await store.sessions.floor()
    expect(await store.sessions.read(sessionId(subjectRef()))).toEqual({ is: 'unknown' })
  })
})

describe('content that the store did not write', () => {
  test.each([
    ['format', '2'],
    ['identity', `'canary'`],
    ['identity', `'{"acr":"aal1"}'`],
    ['origin', `'[1'`],
    ['origin', `'{"ip":1}'`],
  ])('%s = %s is a typed fault for all but ending', async (column, value) => {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const ref = subjectRef()
    const [bad, good] = [recordNow(store, ref), recordNow(store, ref)]
    const now = bad.createdAtMs
    for (const record of [bad, good]) await store.sessions.create(record, createRule, now)
    const raw = await rawClient(url)
    await raw.query(`UPDATE countersign.sessions SET ${column} = ${value} WHERE id = $1`, [bad.id])
    for (const call of [
      () => store.sessions.read(bad.id),
      () => store.sessions.list(ref, null, { limit: 9, floorMs: 0 }, now),
    ]) {
      const error = (await outcome(call())) as Error
      const code = column === 'format' ? 'ERR_FORMAT_UNKNOWN' : 'ERR_STORE_CORRUPT'
      expect(error).toMatchObject({ code, store: 'postgres' })
      if (column === 'format') expect(error.message).toMatch(/has format 2\.0, .*; this one reads 1\.x/)
      expect(error.message).not.toContain('canary')
    }
    const ended = await store.sessions.endSubject(ref, 'banned', {}, now)
    expect([...ended.ids].sort()).toEqual([bad.id, good.id].sort())
    expect(await store.sessions.read(bad.id)).toMatchObject({ is: 'ended', tombstone: { why: 'banned' } })
  })

  test('the tables refuse what is neither a session nor a tombstone', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const raw = await rawClient(url)
    for (const change of ['hash = NULL', `hash = '\\x00'`, 'ended_at_ms = 1', `why = 'x'`, 'id = NULL']) {
      await expect(raw.query(`UPDATE countersign.sessions SET ${change}`)).rejects.toMatchObject({ code: /^235/ })
    }
  })
})

describe('the sweep', () => {
  const tables = ['sessions', 'subjects', 'revocations', 'denials', 'accounts', 'meta']
  async function setUp() {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const raw = await rawClient(url)
    const counts = async () => {
      const sql = tables.map((table) => `(SELECT count(*)::int FROM countersign.${table}) AS ${table}`).join(', ')
      return (await raw.query(`SELECT ${sql}`)).rows[0] as Record<string, number>
    }
    return { url, store, raw, counts }
  }

  async function sweepAll(store: Store, nowMs: number, limit: number): Promise<number> {
    let sum = 0
    for (let gone = -1; gone !== 0; sum += gone) {
      gone = await store.sessions.sweep!(nowMs, limit)
      expect(gone).toBeLessThanOrEqual(limit)
    }
    return sum
  }

  test('everything that is over goes, a bounded number per call, and the tables are as they were', async () => {
    const { store, counts } = await setUp()
    const { sessions, accounts, revocations } = store
    const now = store.lifecycle.nowMs()
    const banned = subjectRef()
    const account = { identifier: 'a', version: 1, passwordHash: 'phc', passwordChangedAtMs: now, roles: [] }
    await accounts.create({ ...banned, ...account, blocked: null, createdAtMs: now, unsettled: null })
    await sessions.endSubject(banned, 'banned', { block: true }, now)
    const baseline = await counts()
    expect(baseline).toEqual({ sessions: 0, subjects: 1, revocations: 0, denials: 0, accounts: 1, meta: 1 })

    for (let i = 0; i < 30; i++) {
      const ref = subjectRef()
      const record = { ...recordNow(store, ref), stamped: i % 2 === 0, idleAtMs: now + (i + 1) * MINUTE }
      await sessions.create({ ...record, createdAtMs: now }, createRule, now)
      if (i % 3 === 0) await sessions.end(record.id, 'logout', endRule, now + 1)
      if (i % 5 === 0) await sessions.endSubject(ref, 'admin', {}, now + 1)
      if (i % 7 === 0) await revocations.deny(ref, 'j', now + HOUR, now)
    }
    expect(await counts()).toMatchObject({ sessions: 30, subjects: 31 })
    expect(await sessions.sweep!(now, 100)).toBe(0)
    expect(await sweepAll(store, now + 8 * DAY, 7)).toBeGreaterThan(60)
    expect(await counts()).toEqual(baseline)
    expect(await sessions.subject(banned, now)).toMatchObject({ blocked: true })
  })

  test('an epoch that moved is kept for a day, also without a session', async () => {
    const { store } = await setUp()
    const ref = subjectRef()
    const now = store.lifecycle.nowMs()
    const { epoch } = await store.sessions.endSubject(ref, 'password_changed', {}, now)
    await sweepAll(store, now + DAY - 1, 10)
    expect(await store.sessions.subject(ref, now)).toMatchObject({ epoch })
    await sweepAll(store, now + DAY, 10)
    expect(await store.sessions.subject(ref, now)).toMatchObject({ epoch: 0 })
  })

  test('what was extended meanwhile stays, and what somebody works on is passed over', async () => {
    const { store, raw } = await setUp()
    const { sessions } = store
    const now = store.lifecycle.nowMs()
    const short = { idleAtMs: now + MINUTE, refreshAtMs: now + MINUTE }
    const [used, held, over] = [recordNow(store), recordNow(store), recordNow(store)]
    for (const record of [used, held, over])
      await sessions.create({ ...record, createdAtMs: now, ...short }, { ...createRule, accessMs: 0 }, now)
    await sessions.touch(used.id, { idleAtMs: now + HOUR }, now + SECOND)
    await raw.query('BEGIN')
    await raw.query('SELECT FROM countersign.subjects WHERE tag = $1 FOR UPDATE', [held.id.slice(0, 12)])
    expect(await sessions.sweep!(now + 2 * MINUTE, 100)).toBe(1)
    expect((await sessions.read(used.id)).is).toBe('live')
    expect((await sessions.read(held.id)).is).toBe('live')
    expect((await sessions.read(over.id)).is).toBe('unknown')
    await raw.query('ROLLBACK')
    expect(await sessions.sweep!(now + 2 * MINUTE, 100)).toBe(1)
    expect((await sessions.read(held.id)).is).toBe('unknown')
  })

  test('against refreshes of the same sessions loses none of them', async () => {
    const { store } = await setUp()
    const now = store.lifecycle.nowMs()
    const records = Array.from({ length: 20 }, () => recordNow(store))
    for (const record of records) await store.sessions.create(record, createRule, now)
    let sweeping = true
    const sweeps = (async () => {
      while (sweeping) await store.sessions.sweep!(now + HOUR, 5)
    })()
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        records.map((record) => refresh(store, record.id, round, now + (round + 1) * MINUTE, { accessMs: 0 })),
      )
      for (const answer of answers) expect(answer.is).toBe('rotated')
    }
    sweeping = false
    await sweeps
  })
})
