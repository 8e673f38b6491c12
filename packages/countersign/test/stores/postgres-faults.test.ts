// What the Postgres store does when the server is slow, gone, busy, read-only, or refuses.
import { CountersignError } from 'countersign'
import { samples } from 'countersign/conformance'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import {
  backendsOf,
  holdSubject,
  outcome,
  ownServer,
  rawClient,
  readyStore,
  recordNow,
  sleep,
  storeOf,
  until,
} from './postgres-kit.ts'

const { createRule, endRule, sessionId, subjectRef } = samples

const unknown = (error: unknown) => expect((error as { retryable?: boolean }).retryable).toBeUndefined()

describe('a server that does not answer', () => {
  test('is told by the deadline, with an unknown outcome, and used again when it wakes up', async () => {
    const server = await ownServer()
    const store = await readyStore({ url: server.url, deadline: '1s' })
    const patient = await readyStore({ url: server.url, deadline: '60s' })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await server.kill('SIGSTOP')
    onTestFinished(() => server.kill('SIGCONT'))
    const started = Date.now()
    let isPatient = true
    const waits = patient.sessions.floor().finally(() => {
      isPatient = false
    })
    const ended = await outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs))
    expect(Date.now() - started).toBeGreaterThanOrEqual(995)
    expect(ended).toMatchObject({ code: 'ERR_STORE_TIMEOUT', store: 'postgres' })
    unknown(ended)
    expect(store.lifecycle.health().up).toBe(false)
    // No connection is left, and none can be had: nothing was sent, which is said.
    const others = await Promise.all([outcome(store.sessions.read(record.id)), outcome(store.sessions.floor())])
    for (const other of others) expect(other).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
    // It was their own deadline that ended the wait: nobody else's, and not the server.
    expect(isPatient).toBe(true)

    await server.kill('SIGCONT')
    await waits
    await patient.lifecycle.close()
    // By itself: nobody asks anything.
    await until(() => store.lifecycle.health().up)
    expect((await store.sessions.read(record.id)).is).toMatch(/^(live|ended)$/)
    await store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)
    await until(async () => (await backendsOf(server)).length <= 2)
  })

  test('does not keep the store from closing', async () => {
    const server = await ownServer()
    const store = await readyStore({ url: server.url, deadline: '1s' })
    await server.kill('SIGSTOP')
    onTestFinished(() => server.kill('SIGCONT'))
    const call = outcome(store.sessions.floor())
    // The server stands still until the test is over: whoever waited for it would wait as long.
    await store.lifecycle.close()
    expect(await call).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
  })
})

describe('a server that goes away', () => {
  test('is an outage and no logout, and comes back by itself', async () => {
    const server = await ownServer()
    const store = await readyStore({ url: server.url })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    expect(store.lifecycle.health()).toMatchObject({ up: true, keepsAll: true, warnings: [] })
    await server.kill()
    await until(() => !store.lifecycle.health().up)
    const started = Date.now()
    for (const call of [
      () => store.sessions.read(record.id),
      () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs),
      () => store.accounts.subjectOf({ identifier: 'a' }),
      () => store.revocations.read(record.id.slice(0, 12)),
    ]) {
      const error = await outcome(call())
      expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true, store: 'postgres' })
    }
    // At once, that is: none of the four waited for its deadline of 2 s.
    expect(Date.now() - started).toBeLessThan(2_000)
    await server.restart()
    await until(() => store.lifecycle.health().up)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
  })

  test('is not stormed: callers by the thousand, attempts to connect by the second', async () => {
    const server = await ownServer({ log_connections: 'on', log_min_messages: 'info' })
    const store = await readyStore({ url: server.url })
    await server.kill()
    await until(() => !store.lifecycle.health().up)
    // Something else on the port counts who knocks.
    const { createServer } = await import('node:net')
    let knocks = 0
    const door = createServer((socket) => {
      knocks++
      socket.destroy()
    })
    await new Promise<void>((resolve) => door.listen(server.port, '127.0.0.1', resolve))
    onTestFinished(() => void door.close())
    const started = Date.now()
    for (let i = 0; i < 20; i++) {
      await Promise.all(Array.from({ length: 100 }, () => outcome(store.sessions.read(sessionId(subjectRef())))))
      await sleep(100)
    }
    expect(knocks).toBeGreaterThan(0)
    // Half a second between two attempts; the first may come at once.
    expect(knocks).toBeLessThanOrEqual((Date.now() - started) / 500 + 2)
  })

  test('and cannot be reached at the start: the message says where, and no secret', async () => {
    const store = storeOf({ url: 'postgres://canary-user:canary-password@127.0.0.1:1/x' })
    const error = (await outcome(store.lifecycle.ready('fingerprint'))) as CountersignError
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
    expect(error.message).toContain('127.0.0.1:1')
    expect(inspected(error)).not.toContain('canary')
  })
})

describe('a lock that somebody else holds', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.stop())

  test('ends with the deadline, nothing was executed, and the connection is kept', async () => {
    const store = await readyStore({ url: server.url, deadline: '4s', poolSize: 1 })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const [before] = await backendsOf(server)
    const { letGo } = await holdSubject(server.url, record.id.slice(0, 12))
    // The lock is let go only after this: whoever waited for it would wait for ever.
    const error = await outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs))
    expect(error).toMatchObject({ code: 'ERR_STORE_TIMEOUT', retryable: true })
    expect(await backendsOf(server)).toEqual([expect.objectContaining({ pid: before!.pid })])
    // Readers do not wait for writers.
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    await letGo()
    await sleep(100)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
    expect((await store.sessions.end(record.id, 'logout', endRule, record.createdAtMs)).ids).toEqual([record.id])
  })

  test('takes one connection, and not all: others are served meanwhile', async () => {
    const store = await readyStore({ url: server.url, deadline: '6s', poolSize: 2 })
    const [held, other] = [recordNow(store), recordNow(store)]
    for (const record of [held, other]) await store.sessions.create(record, createRule, record.createdAtMs)
    const { letGo } = await holdSubject(server.url, held.id.slice(0, 12))
    const writers = Array.from({ length: 50 }, () =>
      outcome(store.sessions.end(held.id, 'logout', endRule, held.createdAtMs)),
    )
    await until(async () => (await backendsOf(server)).filter((one) => one.waits).length === 1)
    expect(await store.sessions.read(held.id)).toMatchObject({ is: 'live' })
    expect(await store.sessions.update(other.id, { data: '1' }, 1, other.createdAtMs)).toMatchObject({ is: 'stored' })
    expect((await backendsOf(server)).filter((one) => one.waits)).toHaveLength(1)
    const errors = (await Promise.all(writers)) as CountersignError[]
    for (const error of errors) expect(error).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    // The first one the server stopped, the second had its turn in the last moment; the others were never sent.
    expect(errors.filter((error) => error.retryable).length).toBeGreaterThanOrEqual(48)
    await letGo()
    // The second one may have been done by now: of it alone nothing was known.
    await store.sessions.end(held.id, 'logout', endRule, held.createdAtMs)
    expect(await store.sessions.read(held.id)).toMatchObject({ is: 'ended', tombstone: { why: 'logout' } })
  })

  test('with every connection behind one: who waits is told that nothing was executed', async () => {
    const store = await readyStore({ url: server.url, deadline: '6s', poolSize: 2 })
    const records = [recordNow(store), recordNow(store)]
    for (const record of records) await store.sessions.create(record, createRule, record.createdAtMs)
    const held = await Promise.all(records.map(({ id }) => holdSubject(server.url, id.slice(0, 12))))
    const writers = records.map(({ id }) => outcome(store.sessions.end(id, 'logout', endRule, records[0]!.createdAtMs)))
    await until(async () => (await backendsOf(server)).filter((one) => one.waits).length === 2)
    const crowd = await Promise.all(Array.from({ length: 50 }, () => outcome(store.sessions.read(records[0]!.id))))
    // Some got a connection in the last moment, when the server had given up on the writers.
    const late = crowd.filter((one) => one instanceof CountersignError)
    for (const error of late) expect(error).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    expect(late.filter((error) => !error.retryable).length).toBeLessThanOrEqual(2)
    for (const error of await Promise.all(writers)) expect(error).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    for (const one of held) await one.letGo()
    expect(await store.sessions.read(records[0]!.id)).toMatchObject({ is: 'live' })
    expect((await backendsOf(server)).length).toBeLessThanOrEqual(2)
  })

  test('and a connection that is ended meanwhile: a write is unknown, a read is asked again', async () => {
    const store = await readyStore({ url: server.url, deadline: '60s', poolSize: 2 })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const { letGo } = await holdSubject(server.url, record.id.slice(0, 12))
    const write = outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs))
    await until(async () => (await backendsOf(server)).some((one) => one.waits))
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'countersign'`)
    const error = await write
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    unknown(error)
    await letGo()

    // The same to a read: a lock on the table makes it wait.
    const raw = await rawClient(server.url)
    await raw.query('BEGIN; LOCK TABLE countersign.sessions')
    const read = outcome(store.sessions.read(record.id))
    await until(async () => (await backendsOf(server)).some((one) => one.waits))
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'countersign'`)
    await raw.query('ROLLBACK')
    expect(await read).toMatchObject({ value: { is: 'live' } })
  })
})

describe('errors of the server', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres({ password: 'canary-password' })
  })
  afterAll(() => server?.stop())

  /** Every change of a session fails with this SQLSTATE, so many times. */
  async function failing(state: string, times: number) {
    const url = await server.createDatabase()
    const store = await readyStore({ url })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const raw = await rawClient(url)
    await raw.query(`CREATE SEQUENCE tries; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('tries') <= ${times} THEN
        RAISE EXCEPTION 'canary-message' USING ERRCODE = '${state}', DETAIL = 'canary-detail';
      END IF; RETURN NEW; END $$;
      CREATE TRIGGER fail BEFORE UPDATE ON countersign.sessions FOR EACH ROW EXECUTE FUNCTION fail()`)
    return outcome(store.sessions.update(record.id, { data: '1' }, 1, record.createdAtMs))
  }

  test.each(['40001', '40P01'])('%s is tried again, a bounded number of times', async (state) => {
    expect(await failing(state, 3)).toMatchObject({ value: { is: 'stored' } })
    const error = await failing(state, 1_000)
    expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
    expect((error as Error).message).toContain(state)
  })

  test.each([
    ['53100', 'ERR_STORE_UNAVAILABLE', true],
    ['25006', 'ERR_STORE_UNAVAILABLE', true],
    ['57014', 'ERR_STORE_TIMEOUT', true],
    ['57P01', 'ERR_STORE_UNAVAILABLE', undefined],
    ['42501', 'ERR_STORE_MISCONFIGURED', undefined],
    ['42883', 'ERR_STORE_MISCONFIGURED', undefined],
    ['XX001', 'ERR_STORE_CORRUPT', undefined],
    ['54000', 'ERR_INPUT_INVALID', undefined],
    ['P0001', 'ERR_STORE_UNAVAILABLE', true],
  ])('%s is %s', async (state, code, retryable) => {
    const error = (await failing(state, 1)) as CountersignError
    expect(error).toBeInstanceOf(CountersignError)
    expect(error).toMatchObject({ code, store: 'postgres' })
    expect(error.retryable).toBe(retryable)
    // What the server says may quote anything; what is passed on is where to look it up.
    expect(error.message).toContain(state)
    expect(inspected(error)).not.toContain('canary')
  })

  test.each([
    ['a wrong password', (url: string) => url.replace('canary-password', 'canary-wrong'), '28P01'],
    ['a database that is not there', (url: string) => url.replace(/\/postgres$/, '/canary-db'), '3D000'],
  ])('%s is a misconfiguration, told at once and without the URL', async (_what, change, state) => {
    const started = Date.now()
    const store = storeOf({ url: change(server.url) })
    const error = (await outcome(store.lifecycle.ready('fingerprint'))) as CountersignError
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
    expect(error.message).toContain(state)
    expect(inspected(error)).not.toContain('canary')
    // Of a server that is not there it would have gone on asking for 10 s.
    expect(Date.now() - started).toBeLessThan(9_000)
  })

  test('a user without rights is told what is wrong', async () => {
    await server.query(`CREATE ROLE weak LOGIN PASSWORD 'weak'`)
    await server.createDatabase('weak')
    const url = server.url.replace('postgres:canary-password', 'weak:weak').replace(/\/postgres$/, '/weak')
    const error = await outcome(storeOf({ url }).lifecycle.ready('fingerprint'))
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
    expect((error as Error).message).toContain('42501')
  })
})

describe('a server that is not what it should be', () => {
  test('a standby is never asked: what it says may be from before a revocation', async () => {
    const server = await ownServer()
    const store = await readyStore({ url: server.url, deadline: '20s' })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const { writeFileSync } = await import('node:fs')
    writeFileSync(`${server.data}/standby.signal`, '')
    await server.restart()
    await until(async () => (await server.query('SELECT pg_is_in_recovery() AS is'))[0]!.is === true)
    for (const call of [
      () => store.sessions.read(record.id),
      () => store.sessions.end(record.id, 'logout', endRule, record.createdAtMs),
    ]) {
      // For half a second callers are told of the attempt to connect before, which found no server at all.
      await until(async () => {
        const error = await outcome(call())
        expect(error).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
        return (error as Error).message.includes('standby')
      })
    }
    expect(store.lifecycle.health().up).toBe(false)
    await server.query('SELECT pg_promote()')
    await until(() => store.lifecycle.health().up)
    expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
  })

  test('transactions that are not READ COMMITTED are refused, at the start and later', async () => {
    const server = await ownServer()
    const url = await server.createDatabase('strict')
    const store = await readyStore({ url, poolSize: 1 })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    await server.query(`ALTER DATABASE strict SET default_transaction_isolation = 'repeatable read'`)
    const refusal = {
      code: 'ERR_STORE_MISCONFIGURED',
      message: expect.stringContaining('default_transaction_isolation'),
    }
    await expect(storeOf({ url }).lifecycle.ready('fingerprint')).rejects.toMatchObject(refusal)
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'countersign'`)
    await until(async () => (await backendsOf(server)).length === 0)
    const end = () => outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs))
    // A call may still find the connection that is gone, and says so.
    await until(async () => ((await end()) as { code?: string }).code !== 'ERR_STORE_UNAVAILABLE')
    expect(await end()).toMatchObject(refusal)
  })

  test('another encoding than UTF-8 is refused', async () => {
    const server = await ownServer()
    await server.query(`CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
    const url = server.url.replace(/\/postgres$/, '/latin')
    const refusal = { code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining('LATIN1') }
    await expect(storeOf({ url }).lifecycle.ready('fingerprint')).rejects.toMatchObject(refusal)
  })

  test('settings that weaken a promise are warned of, and writes count for less', async () => {
    const server = await ownServer({ fsync: 'off', full_page_writes: 'off' })
    const store = await readyStore({ url: server.url, prepared: false })
    const { warnings } = store.lifecycle.health()
    expect(warnings.map((warning) => warning.split(' ')[0])).toEqual(['fsync', 'full_page_writes', 'statement_timeout'])
    const record = recordNow(store)
    expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ durability: 'local' })
    await server.restart({})
    await until(() => store.lifecycle.health().up)
    await store.sessions.floor()
    expect(store.lifecycle.health().warnings.map((warning) => warning.split(' ')[0])).toEqual(['statement_timeout'])
    expect((await store.sessions.setRoles(subjectRef(), [], record.createdAtMs)).durability).toBe('fsynced')
  })
})

/** Everything that a log would print of an error. */
function inspected(error: unknown): string {
  const parts: unknown[] = []
  for (let one = error; one instanceof Error; one = one.cause) parts.push(one.message, one.stack, JSON.stringify(one))
  return parts.join('\n')
}
