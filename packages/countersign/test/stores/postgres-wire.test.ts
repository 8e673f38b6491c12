// What goes over the wire: one statement per method, with or without names, over a pool of its own or a given one; and
// nothing in it, in the log of the server or in its tables lets anybody in.
import { allowlist, createSessions, generateKeyring, loadKeyring } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { backendsOf, outcome, rawClient, readyStore, recordNow, sleep, storeOf, until } from './postgres-kit.ts'

const { createRule, endRule, GRACE, hashOf, MINUTE, refresh, sessionId, subjectRef } = samples

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ settings: { log_statement: 'all', log_min_messages: 'info', log_line_prefix: '%a|' } })
})
afterAll(() => server?.stop())

/** What the store sends during `call`, as the server's log has it. */
async function statementsOf(call: () => Promise<unknown>): Promise<string[]> {
  const from = (await server.log()).length
  await call()
  const lines = (await server.log()).slice(from).split('\n')
  return lines.filter((line) => /^countersign\|LOG:\s+(execute|statement)/.test(line))
}

/** Every method once, in an order in which each finds something to do. */
function methodsOf(store: Store): Record<string, () => Promise<unknown>> {
  const { sessions, revocations, accounts, once } = store
  const [place, hash] = [hashOf(subjectRef().tag), hashOf('secret')]
  const ref = subjectRef()
  const record = { ...recordNow(store, ref), stamped: true }
  const now = record.createdAtMs
  const next = recordNow(store, ref)
  const account = {
    ...ref,
    identifier: ref.subject,
    version: 1,
    passwordHash: 'phc',
    passwordChangedAtMs: now,
    roles: [],
  }
  const whole = { ...account, blocked: null, createdAtMs: now, unsettled: null }
  return {
    create: () => sessions.create(record, createRule, now),
    read: () => sessions.read(record.id),
    update: () => sessions.update(record.id, { data: '1', operationId: 'x' }, 1, now),
    touch: () => sessions.touch(record.id, { idleAtMs: now + MINUTE, generation: 0 }, now),
    rotate: () => refresh(store, record.id, 0, now + GRACE),
    replace: () => sessions.replace(record.id, next, { accessMs: 1, floorMs: 0 }, now + GRACE),
    end: () => sessions.end(record.id, 'logout', endRule, now + GRACE),
    endUnknown: () => sessions.end(sessionId(ref), 'logout', { ...endRule, stamped: true }, now + GRACE),
    endSubject: () => sessions.endSubject(ref, 'banned', { block: true }, now + GRACE),
    setRoles: () => sessions.setRoles(ref, ['user'], now + GRACE),
    subject: () => sessions.subject(ref, now),
    list: () => sessions.list(ref, null, { limit: 5, floorMs: 0 }, now),
    floor: () => sessions.floor(),
    raiseFloor: () => sessions.raiseFloor('admin', 1),
    sweep: () => sessions.sweep!(now, 10),
    deny: () => revocations.deny(ref, 'j', now + MINUTE, now),
    'revocations.read': () => revocations.read(ref.tag),
    'accounts.create': () => accounts.create(whole),
    subjectOf: () => accounts.subjectOf(whole),
    bySubject: () => accounts.bySubject(ref),
    put: () => once.put(place, { hash, bytes: hash }, now + MINUTE),
    look: () => once.look(place, hash, now),
    take: () => once.take(place, hash, now),
    claim: () => once.claim('scope', record.id, now + MINUTE, now),
    'accounts.replace': () => accounts.replace({ ...whole, version: 2 }, 1),
  }
}

describe.each([
  ['with prepared statements', true],
  ['without', false],
])('%s', (_what, prepared) => {
  test('every method is one statement, the first time and later', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url, prepared, poolSize: 1 })
    for (let round = 0; round < 2; round++) {
      for (const [name, call] of Object.entries(methodsOf(store))) {
        const statements = await statementsOf(call)
        expect(statements, name).toHaveLength(1)
        expect(statements[0], name).toMatch(prepared ? /execute cs_/ : /execute <unnamed>|statement: SELECT/)
      }
    }
    const names = await statementsOf(() => store.sessions.floor())
    expect(names.join()).not.toMatch(/BEGIN|COMMIT|SET /)
  })

  test('sets its limit for statements only on connections of its own', async () => {
    const url = await server.createDatabase()
    const store = await readyStore({ url, prepared })
    const warnings = store.lifecycle.health().warnings.filter((warning) => warning.startsWith('statement_timeout'))
    expect(warnings).toHaveLength(prepared ? 0 : 1)
  })
})

describe('a pool of the application', () => {
  const poolOf = (url: string, more: object = {}) => {
    const pool = new pg.Pool({ connectionString: url, max: 3, application_name: 'countersign', ...more })
    pool.on('error', () => {})
    onTestFinished(() => pool.end())
    return pool
  }

  test('serves two stores, is not changed by what the application did to its parsers, and is not closed', async () => {
    const url = await server.createDatabase()
    const odd = { getTypeParser: () => () => 'parsed by the application' }
    const pool = poolOf(url, { types: odd })
    const [a, b] = [await readyStore({ pool, schema: 'a' }), await readyStore({ pool, schema: 'b' })]
    expect(a.lifecycle.health()).toMatchObject({
      up: true,
      warnings: expect.arrayContaining([expect.stringContaining('pool')]),
    })
    for (const store of [a, b]) for (const call of Object.values(methodsOf(store))) await call()
    const record = recordNow(a)
    await a.sessions.create(record, createRule, record.createdAtMs)
    expect((await a.sessions.read(record.id)).is).toBe('live')
    expect((await b.sessions.read(record.id)).is).toBe('unknown')
    await a.lifecycle.close()
    expect(pool.ended).toBe(false)
    await b.sessions.floor()
  })

  test('loses its connections without a crash of the process, and gets new ones', async () => {
    const url = await server.createDatabase()
    const pool = poolOf(url)
    const store = await readyStore({ pool, deadline: '6s' })
    const record = recordNow(store)
    await store.sessions.create(record, createRule, record.createdAtMs)
    const raw = await rawClient(url)
    await raw.query('BEGIN; LOCK TABLE countersign.sessions')
    const read = outcome(store.sessions.read(record.id))
    const write = outcome(store.sessions.end(record.id, 'logout', endRule, record.createdAtMs))
    await until(async () => (await backendsOf(server)).filter((one) => one.waits).length === 2)
    await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)
    expect(await write).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    // Asked again, it waits for the same lock until the deadline, and the connection is given up.
    expect(await read).toMatchObject({ code: 'ERR_STORE_TIMEOUT' })
    await raw.query('ROLLBACK')
    expect((await store.sessions.read(record.id)).is).toBe('live')
    expect(pool.totalCount).toBeLessThanOrEqual(3)
    await until(async () => pool.idleCount === pool.totalCount)
  })
})

describe('the connections of the store', () => {
  test('are as many as needed, at most as many as allowed, and those nobody needs are closed', async () => {
    const url = await server.createDatabase()
    const timers: { fn: () => void; ms: number }[] = []
    let aheadMs = 0
    const runtime = {
      clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() + aheadMs },
      random: (bytes: number) => new Uint8Array(bytes),
      timers: {
        setTimeout(fn: () => void, ms: number, background?: 'background') {
          if (background && ms === 30_000) {
            timers.push({ fn, ms })
            return undefined
          }
          return setTimeout(fn, ms)
        },
        clearTimeout: (timer: unknown) => clearTimeout(timer as NodeJS.Timeout),
      },
    }
    const store = storeOf({ url, poolSize: 4, runtime })
    await store.lifecycle.ready('fingerprint')
    const mine = async () => (await backendsOf(server)).length
    const before = await mine()
    await Promise.all(Array.from({ length: 40 }, () => store.sessions.read(sessionId(subjectRef()))))
    const most = await mine()
    expect(most - before + 1).toBeGreaterThan(1)
    expect(most - before + 1).toBeLessThanOrEqual(4)
    aheadMs = 31_000
    for (const { fn } of timers.splice(0)) fn()
    // Fewer, where the store was opened over two at once.
    await until(async () => (await mine()) <= before)
    expect(await store.sessions.read(sessionId(subjectRef()))).toEqual({ is: 'unknown' })
  })

  test('come by a socket of the file system and by an object, too', async () => {
    const { socket, port } = server
    for (const options of [
      { url: `postgres:///postgres?host=${socket}&port=${port}&user=postgres` },
      { connection: { host: socket, port, user: 'postgres', database: 'postgres' } },
      { connection: { host: '127.0.0.1', port, user: 'postgres', database: 'postgres', password: async () => 'any' } },
    ]) {
      const store = await readyStore({ ...options, schema: 'by_socket' })
      expect(await store.sessions.read(sessionId(subjectRef()))).toEqual({ is: 'unknown' })
    }
  })

  test('bring the time of the server, which goes on when the local clock is set', async () => {
    const url = await server.createDatabase()
    let setBackMs = 0
    const clock = { nowMs: () => Date.now() - setBackMs, monotonicMs: () => performance.now() }
    const { systemRuntime } = await import('countersign')
    const store = await readyStore({ url, runtime: { ...systemRuntime, clock } })
    const first = store.lifecycle.nowMs()
    setBackMs = 3_600_000
    await store.sessions.floor()
    await sleep(20)
    expect(store.lifecycle.nowMs()).toBeGreaterThan(first)
    // Of the hour that the clock was set back nothing is left; what remains is how long the answer took.
    expect(Math.abs(store.lifecycle.nowMs() - Date.now())).toBeLessThan(60_000)
  })
})

test('options that are wrong are refused by name, and never repeated', () => {
  const url = 'postgres://u:canary@h/d'
  const cases: [object, string][] = [
    [{}, '"url"'],
    [{ url: 'canary' }, '"url"'],
    [{ url: 'mysql://canary' }, '"url"'],
    [{ url, pool: { connect() {} } }, '"url"'],
    [{ pool: { canary: 1 } }, '"pool"'],
    [{ pool: { connect() {} }, poolSize: 3 }, '"poolSize"'],
    [{ url, poolSize: 0 }, '"poolSize"'],
    [{ url, poolSize: 1.5 }, '"poolSize"'],
    [{ url, prepared: 'canary' }, '"prepared"'],
    [{ url, schema: 'Canary' }, '"schema"'],
    [{ url, schema: 'pg_canary' }, '"schema"'],
    [{ url, schema: 'a"; DROP' }, '"schema"'],
    [{ url, deadline: '10ms' }, '"deadline"'],
    [{ url, deadline: 5 }, '"deadline"'],
    [{ url, canary: 1 }, '"canary"'],
    [{ connection: { host: 'h', statement_timeout: 5 } }, '"connection.statement_timeout"'],
    [{ connection: 'canary' }, '"connection"'],
  ]
  for (const [options, name] of cases) {
    let error: unknown
    try {
      postgresStore(options as never)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) })
    if (name !== '"canary"') expect((error as Error).message).not.toMatch(/canary/i)
  }
})

describe('nothing usable at rest', () => {
  test('no secret is in the log of a server that logs every statement, nor in its tables', async () => {
    const url = await server.createDatabase()
    const store = storeOf({ url })
    const keyring = await loadKeyring(generateKeyring())
    const strategy = allowlist({ issuer: 'https://a.test', audience: 'https://b.test', grace: '1s' })
    const sessions = createSessions({ strategy, keyring, store, timeouts: { absolute: '1d', idle: '1h' } })
    onTestFinished(() => sessions.close())
    const passwords = { argon2: { memoryKiB: 7_168, passes: 5, parallelism: 1 } }
    const accounts = createAccounts({ store, keyring, sessions, passwords })
    const password = 'violet harbour teapot 91'
    await accounts.register({ identifier: 'ada@example.com', password })
    const proof = await accounts.authenticate({ identifier: 'ada@example.com', password })
    if (!proof.ok) throw new Error(proof.reason)
    const issued = await sessions.issue({ subject: proof.subject, ifEpoch: proof.epoch })
    if (!issued.ok) throw new Error(issued.reason)
    const secrets = [Buffer.from(password), ...secretsOf(issued.accessToken, issued.refreshToken)]
    let { refreshToken } = issued
    for (let i = 0; i < 2; i++) {
      await sleep(1_100)
      const next = await sessions.refresh(refreshToken)
      if (!next.ok) throw new Error(next.reason)
      refreshToken = next.refreshToken
      secrets.push(...secretsOf(next.accessToken, refreshToken))
    }
    await sessions.stepUp(issued.session.sessionId, { acr: 'aal2', amr: ['otp'] })
    await sessions.revokeAll(proof.subject, { reason: 'logout' })

    expect(await everything(url)).toContain('rotate_session')
    const found = async () => {
      const text = await everything(url)
      return secrets.filter((secret) => formsOf(secret).some((form) => text.includes(form)))
    }
    expect(await found()).toEqual([])
    // The search would find one: the secret of a refresh token, stored as it is.
    const careless = recordNow(store)
    await store.sessions.create(
      { ...careless, hash: new Uint8Array(secrets.at(-1)!) },
      createRule,
      careless.createdAtMs,
    )
    expect(await found()).toEqual([secrets.at(-1)])
  })

  /** The log and all rows of all tables. */
  async function everything(url: string): Promise<string> {
    const raw = await rawClient(url)
    let text = await server.log()
    for (const table of ['sessions', 'subjects', 'revocations', 'denials', 'accounts', 'once', 'claims', 'meta'])
      text += JSON.stringify((await raw.query(`SELECT t::text FROM countersign.${table} AS t`)).rows)
    return text
  }

  /** The signature of an access token, and the secret inside a refresh token (`tokens/mac-token.ts`). */
  function secretsOf(accessToken: string, refreshToken: string): Buffer[] {
    const signature = Buffer.from(accessToken.split('.')[2]!, 'base64url')
    return [signature, Buffer.from(refreshToken.slice(4), 'base64url').subarray(31, 63)]
  }

  /** Bytes as themselves, and as hex, base64 and base64url at every alignment. */
  function formsOf(secret: Buffer): string[] {
    const encoded = [0, 1, 2].flatMap((offset) => {
      const shifted = Buffer.concat([Buffer.alloc(offset), secret])
      const start = offset === 0 ? 0 : offset + 1
      return (['base64', 'base64url'] as const).map((form) => shifted.toString(form).slice(start, -4))
    })
    return [secret.toString('latin1'), secret.toString('utf8'), secret.toString('hex'), ...encoded]
  }
})
