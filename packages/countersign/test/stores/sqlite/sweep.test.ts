import { samples } from 'countersign/conformance'
import { sqliteStore } from 'countersign/stores/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { freshFile, query } from './support.ts'

const { created, DAY, endRule, MINUTE, recordOf, refresh, sessionId, subjectRef, T } = samples

test('everything that is over goes, a bounded number per call, and the tables are as they were', async () => {
  const file = freshFile()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  const { sessions, revocations, accounts } = store
  const counts = async () => {
    const tables = ['sessions', 'subjects', 'revocations', 'accounts', 'meta', 'migrations']
    const sql = tables.map((table) => `(SELECT count(*) FROM ${table}) AS ${table}`).join(', ')
    return (await query(file, `SELECT ${sql}`))[0]
  }

  const account = {
    ...subjectRef(),
    identifier: 'a@example.com',
    version: 1,
    passwordHash: 'phc',
    passwordChangedAtMs: T,
    roles: [],
    blocked: null,
    createdAtMs: T,
    unsettled: null,
  }
  await accounts.create(account)
  await sessions.endSubject(account, 'banned', { block: true }, T)
  const baseline = await counts()
  expect(baseline).toEqual({ sessions: 0, subjects: 1, revocations: 0, accounts: 1, meta: 1, migrations: 2 })

  for (let i = 0; i < 60; i++) {
    const ref = subjectRef()
    const record = await created(store, ref, { stamped: i % 2 === 0, idleAtMs: T + MINUTE * (i + 1) })
    if (i % 3 === 0) await sessions.end(record.id, 'logout', endRule, T + 1)
    if (i % 4 === 0) await sessions.setRoles(ref, [], T + 2)
    if (i % 5 === 0) await revocations.deny(ref, 'jti', T + DAY, T + 3)
    if (i % 6 === 0) await sessions.end(sessionId(ref), 'logout', { unknownUntilMs: T + DAY, stamped: true }, T + 4)
    if (i % 7 === 0) await refresh(store, record.id, 0, T + MINUTE - 1)
    if (i % 10 === 0) await sessions.replace(record.id, recordOf(ref), { accessMs: 0, floorMs: 0 }, T + 5)
  }
  const full = await counts()
  const before = (full!.sessions as number) + (full!.subjects as number) + (full!.revocations as number)
  expect(before).toBeGreaterThan(120)

  // Nothing is over yet: neither by the store's first moment nor just before the first deadline of all.
  expect(await sessions.sweep!(T, 1_000)).toBe(0)
  expect(await counts()).toEqual(full)

  let gone = 0
  let calls = 0
  for (let swept = -1; swept !== 0; calls++) {
    swept = await sessions.sweep!(T + 10 * DAY, 7)
    expect(swept).toBeLessThanOrEqual(7)
    gone += swept
  }
  expect(gone).toBe(before - 1)
  expect(calls).toBe(Math.ceil(gone / 7) + 1)
  expect(await counts()).toEqual(baseline)
  // The blocked subject stays blocked for ever.
  expect(await sessions.subject(account, T + 10 * DAY)).toMatchObject({ blocked: true })
})

test('a row goes at the millisecond from which nothing can refer to it, and an epoch a day after its move', async () => {
  const file = freshFile()
  const store = sqliteStore({ file })
  onTestFinished(() => store.lifecycle.close())
  const ref = subjectRef()
  const record = await created(store, ref, {}, { accessMs: 0 })
  expect(await store.sessions.sweep!(record.refreshAtMs - 1, 100)).toBe(0)
  expect(await store.sessions.sweep!(record.refreshAtMs, 100)).toBe(1)
  expect(await store.sessions.read(record.id)).toEqual({ is: 'unknown' })

  const { epoch } = await store.sessions.setRoles(ref, [], T)
  expect(await store.sessions.sweep!(T + DAY - 1, 100)).toBe(0)
  expect((await store.sessions.subject(ref, T)).epoch).toBe(epoch)
  expect(await store.sessions.sweep!(T + DAY, 100)).toBe(1)
})
