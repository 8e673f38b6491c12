/** Row D6 of the fault matrix: a store that does not take a revocation has it waiting, and this process refuses at once. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createAccounts } from 'countersign/accounts'
import { memoryStore } from 'countersign/stores/memory'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { type RedisOptions, type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { cleanUpAll, keyring, later, onRedis, openSessions, scratchFolder, until, verdict } from './kit.ts'

afterEach(cleanUpAll)

async function start(options: RedisOptions = {}) {
  const server = await startRedis(options)
  later(() => server.stop())
  return server
}

async function raw(server: RedisServer) {
  const client = createClient({ url: server.url })
  client.on('error', () => {})
  await client.connect()
  later(() => client.destroy())
  return { set: (name: string, value: string) => client.configSet(name, value), client }
}

const QUEUED = { ended: 0, effectiveAtMs: null, durability: 'queued' }

/** How a server comes not to take a write, and how it gets well again. */
interface Refusal {
  readonly options?: RedisOptions
  /** Whether it still answers reads, so that what this process refuses can be seen. */
  readonly reads: boolean
  readonly code: 'ERR_STORE_UNAVAILABLE' | 'ERR_STORE_TIMEOUT'
  impose(server: RedisServer): Promise<() => Promise<unknown>>
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  NOREPLICAS: {
    reads: true,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      const { set } = await raw(server)
      await set('min-replicas-to-write', '1')
      return () => set('min-replicas-to-write', '0')
    },
  },
  READONLY: {
    reads: true,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      const { client } = await raw(server)
      await client.sendCommand(['REPLICAOF', '127.0.0.1', '1'])
      return () => client.sendCommand(['REPLICAOF', 'NO', 'ONE'])
    },
  },
  MISCONF: {
    reads: true,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      // A snapshot that fails: the folder that it should be written to has gone.
      const { set, client } = await raw(server)
      await set('save', '3600 1')
      rmSync(server.dir, { recursive: true, force: true })
      await client.sendCommand(['BGSAVE'])
      await until(async () => String(await client.info('persistence')).includes('rdb_last_bgsave_status:err'))
      return () => set('stop-writes-on-bgsave-error', 'no')
    },
  },
  BUSY: {
    reads: false,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      const [{ set, client }, looping] = [await raw(server), await raw(server)]
      await set('busy-reply-threshold', '20')
      const loop = looping.client.sendCommand(['EVAL', 'while true do end', '0']).catch(() => {})
      await until(async () => (await client.ping().catch((error: Error) => error.message)).startsWith('BUSY'))
      return async () => {
        await client.sendCommand(['SCRIPT', 'KILL'])
        await loop
      }
    },
  },
  LOADING: {
    // Takes 20 ms for each key that it reads at start, and answers meanwhile.
    options: { args: ['--key-load-delay', '20000', '--loading-process-events-interval-bytes', '1024'] },
    reads: false,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      const { client } = await raw(server)
      for (let n = 0; n < 400; n++) await client.set(`filler:${n}`, 'x'.repeat(300))
      await client.sendCommand(['SAVE'])
      client.destroy()
      await server.kill()
      const restarted = server.restart()
      return () => restarted
    },
  },
  'no connection': {
    options: { appendonly: true, appendfsync: 'always' },
    reads: false,
    code: 'ERR_STORE_UNAVAILABLE',
    async impose(server) {
      await server.kill()
      return () => server.restart()
    },
  },
  'no answer': {
    reads: false,
    code: 'ERR_STORE_TIMEOUT',
    async impose(server) {
      await server.kill('SIGSTOP')
      later(() => server.kill('SIGCONT'))
      return () => server.kill('SIGCONT')
    },
  },
}

describe.each(Object.keys(REFUSALS))('D6: %s', (name) => {
  const { options = {}, reads, code, impose } = REFUSALS[name]!

  test('a revocation is queued, refused here at once, never said to be done, and done when it goes again', async () => {
    const server = await start({ ...options, dir: options.dir ?? scratchOf(name) })
    const opened = await onRedis(server.url, { deadline: code === 'ERR_STORE_TIMEOUT' ? '0.5s' : '10s' })
    const { sessions, login, seen } = opened
    const [a, b, other] = [await login('a'), await login('b'), await login('other')]
    const heal = await impose(server)
    if (name === 'LOADING') await until(async () => sessions.health().up)

    expect(await sessions.revoke(a.id, { reason: 'logout' })).toEqual(QUEUED)
    expect(await sessions.revokeAll('b', { reason: 'banned', block: true })).toEqual(QUEUED)
    expect(sessions.health()).toMatchObject({ queued: 2 })
    expect(sessions.health().warnings).toContainEqual(expect.stringMatching(/^revocations that wait for the store: 2 /))
    const codes = seen('revocation_queued').map((event) => `${event.what} ${event.code}`)
    // A connection that has fallen silent is given up, and the next call finds none.
    expect(codes[0]).toBe(`session ${code}`)
    expect(codes[1]).toMatch(/^subject ERR_STORE_(UNAVAILABLE|TIMEOUT)$/)
    // What has not happened has no event.
    expect(seen('session_ended')).toEqual([])
    expect(seen('subject_ended')).toEqual([])
    if (reads) {
      expect(await verdict(sessions, a.accessToken)).toBe('ended by logout')
      expect(await verdict(sessions, b.accessToken)).toBe('ended by banned')
      expect(await sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ ok: false, reason: 'blocked' })
      expect(await verdict(sessions, other.accessToken)).toBe('accepted')
    } else {
      expect(['ended by logout', 'ERR_STORE_UNAVAILABLE', 'ERR_STORE_TIMEOUT']).toContain(
        await verdict(sessions, a.accessToken),
      )
    }

    await heal()
    await until(() => seen('revocation_done').length === 2)
    expect(sessions.health()).toMatchObject({ queued: 0 })
    // One that the server did without our hearing of it is done, and had ended before it was asked for again.
    const endings = seen('session_ended').map((event) => event.endedBy)
    if (name === 'no answer') expect(['logout', 'banned']).toEqual(expect.arrayContaining(endings))
    else expect(endings.sort()).toEqual(['banned', 'logout'])
    expect(seen('subject_ended')).toEqual([expect.objectContaining({ subject: 'b', endedBy: 'banned', blocked: true })])
    // The store itself says so: asked by somebody who was not there.
    const fresh = await onRedis(server.url)
    expect(await verdict(fresh.sessions, a.accessToken)).toBe('ended by logout')
    expect(await verdict(fresh.sessions, b.accessToken)).toBe('ended by banned')
    expect(await fresh.sessions.issue({ subject: 'b', data: { n: 0 } })).toMatchObject({ reason: 'blocked' })
    expect(await verdict(sessions, other.accessToken)).toBe('accepted')
  })
})

/** A folder that the server does not remove, where the test needs it to go, or to stay over a restart. */
function scratchOf(name: string): string {
  const dir = join(scratchFolder(), name.replace(' ', '-'))
  mkdirSync(dir)
  return dir
}

describe('while a revocation waits, this process', () => {
  async function refusing(strategy: 'allowlist' | 'denylist' = 'allowlist') {
    const server = await start()
    const opened = await onRedis(server.url, {}, { strategy })
    const { set } = await raw(server)
    return {
      ...opened,
      server,
      refuse: () => set('min-replicas-to-write', '1'),
      heal: () => set('min-replicas-to-write', '0'),
    }
  }

  test('does not show, use, renew or extend the session', async () => {
    const { sessions, login, refuse } = await refusing()
    const [a, b] = [await login('u'), await login('u')]
    await refuse()
    expect(await sessions.revoke(a.id, { reason: 'logout' })).toEqual(QUEUED)
    const ended = { ok: false, reason: 'ended', endedBy: 'logout' }
    expect(await sessions.verify(a.accessToken)).toMatchObject(ended)
    expect(await sessions.get(a.id)).toMatchObject(ended)
    expect(await sessions.refresh(a.refreshToken)).toMatchObject(ended)
    expect(await sessions.update(a.id, () => ({ n: 1 }))).toMatchObject(ended)
    expect(await sessions.stepUp(a.id, { acr: 'aal2', amr: [] })).toMatchObject(ended)
    expect(await sessions.explain(a.accessToken)).toMatchObject({ accepted: false })
    const listed = []
    for await (const { sessionId } of sessions.list('u')) listed.push(sessionId)
    expect(listed).toEqual([b.id])
    expect(await verdict(sessions, b.accessToken)).toBe('accepted')
  })

  test('writes nothing of the subject before it, and does both in order', async () => {
    const { sessions, login, refuse, heal } = await refusing()
    const a = await login('u', ['user', 'admin'])
    await refuse()
    expect(await sessions.setRoles('u', ['user'])).toEqual(QUEUED)
    expect(await sessions.verify(a.accessToken)).toMatchObject({ ok: true, session: { roles: ['user'] } })
    // An outage, not a refusal: the subject may log in, but not before its roles have been taken.
    await expect(sessions.issue({ subject: 'u', data: { n: 0 } })).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    await expect(sessions.refresh(a.refreshToken)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    await expect(sessions.epoch('u')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(await sessions.setRoles('u', ['user', 'admin'])).toEqual(QUEUED)
    await heal()
    // Asks for nothing but the epoch, and what waited comes first.
    await sessions.epoch('u')
    expect(sessions.health()).toMatchObject({ queued: 0 })
    expect(await sessions.verify(a.accessToken)).toMatchObject({ ok: true, session: { roles: ['user'] } })
    const next = await sessions.refresh(a.refreshToken)
    expect(next.ok).toBe(true)
  })

  test('lets a login that comes after it live', async () => {
    const { sessions, login, seen, refuse, heal } = await refusing()
    const old = await login('u')
    await refuse()
    await sessions.revokeAll('u', { reason: 'password_changed' })
    await heal()
    // Before any other try.
    const fresh = await login('u')
    await until(() => seen('revocation_done').length === 1)
    expect(await verdict(sessions, old.accessToken)).toBe('ended by password_changed')
    expect(await verdict(sessions, fresh.accessToken)).toBe('accepted')
  })

  test('keeps what is asked for twice once', async () => {
    const { sessions, login, refuse, seen } = await refusing()
    const a = await login('u')
    await refuse()
    for (let n = 0; n < 3; n++) expect(await sessions.revoke(a.id, { reason: 'logout' })).toEqual(QUEUED)
    expect(sessions.health()).toMatchObject({ queued: 1 })
    expect(seen('revocation_queued')).toHaveLength(1)
  })

  test('refuses all of a subject but the one that is spared, and what was opened later elsewhere', async () => {
    const { sessions, login, server, refuse, heal } = await refusing()
    const [a, mine] = [await login('u'), await login('u')]
    const elsewhere = await onRedis(server.url)
    await refuse()
    expect(await sessions.revokeAll('u', { reason: 'admin', except: mine.id })).toEqual(QUEUED)
    expect(await verdict(sessions, a.accessToken)).toBe('ended by admin')
    expect(await verdict(sessions, mine.accessToken)).toBe('accepted')
    // Only this process knows: the others are told when it is done, which is why the answer was `queued`.
    expect(await verdict(elsewhere.sessions, a.accessToken)).toBe('accepted')
    await heal()
    await until(async () => (await verdict(elsewhere.sessions, a.accessToken)) === 'ended by admin')
    expect(await verdict(elsewhere.sessions, mine.accessToken)).toBe('accepted')
  })

  test('refuses everybody who was there, and then so does everyone', async () => {
    const { sessions, seen, login, refuse, heal } = await refusing()
    const a = await login('u')
    await refuse()
    expect(await sessions.revokeEveryone({ reason: 'incident' })).toEqual(QUEUED)
    await until(async () => (await verdict(sessions, a.accessToken)) === 'ended by incident')
    await heal()
    await until(() => seen('everyone_ended').length === 1)
    expect(await verdict(sessions, a.accessToken)).toBe('ended by incident')
  })

  test('refuses tokens that are checked without the record', async () => {
    const { sessions, login, refuse, heal, seen } = await refusing('denylist')
    const [a, b, c, d] = [await login('a'), await login('b'), await login('c', ['user', 'admin']), await login('d')]
    const { jti } = JSON.parse(Buffer.from(d.accessToken.split('.')[1]!, 'base64url').toString()) as { jti: string }
    await refuse()
    await sessions.revoke(a.id, { reason: 'logout' })
    await sessions.revokeAll('b', { reason: 'admin' })
    await sessions.setRoles('c', ['user'])
    expect(await sessions.revoke(d.id, { reason: 'admin', jti })).toEqual(QUEUED)
    expect(await verdict(sessions, a.accessToken)).toBe('ended by logout')
    expect(await verdict(sessions, b.accessToken)).toBe('superseded')
    expect(await verdict(sessions, c.accessToken)).toBe('superseded')
    expect(await verdict(sessions, d.accessToken)).toBe('ended')
    await heal()
    await until(() => seen('revocation_done').length === 4)
    expect(await verdict(sessions, b.accessToken)).toBe('ended by admin')
    expect(await verdict(sessions, c.accessToken)).toBe('superseded')
    expect(await verdict(sessions, d.accessToken)).toBe('ended')
  })

  test('keeps nothing for whoever wants the fault', async () => {
    const { sessions, login, refuse, seen } = await refusing()
    const a = await login('u')
    await refuse()
    const whenAway = 'throw'
    const fault = { code: 'ERR_STORE_UNAVAILABLE', retryable: true }
    await expect(sessions.revoke(a.id, { reason: 'logout', whenAway })).rejects.toMatchObject(fault)
    await expect(sessions.revokeAll('u', { reason: 'logout', whenAway })).rejects.toMatchObject(fault)
    await expect(sessions.setRoles('u', [], { whenAway })).rejects.toMatchObject(fault)
    await expect(sessions.revokeEveryone({ reason: 'logout', whenAway })).rejects.toMatchObject(fault)
    await expect(sessions.revokeAll('u', { reason: 'x', whenAway: 'wait' as never })).rejects.toMatchObject({
      code: 'ERR_INPUT_INVALID',
    })
    expect(sessions.health()).toMatchObject({ queued: 0 })
    expect(seen('revocation_queued')).toEqual([])
    expect(await verdict(sessions, a.accessToken)).toBe('accepted')
  })

  test('does not end in silence: closing tries, and then rejects with what is left', async () => {
    const { sessions, login, refuse, seen } = await refusing()
    const a = await login('u')
    await refuse()
    await sessions.revoke(a.id, { reason: 'logout' })
    await expect(sessions.close()).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringMatching(/^revocations that still waited for the store and end with this process: 1;/),
    })
    expect(seen('revocations_left')).toEqual([expect.objectContaining({ waiting: 1, kept: false })])
    await expect(sessions.verify(a.accessToken)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  })

  test('closes as soon as what waits is done', async () => {
    const { sessions, login, server, refuse, heal } = await refusing()
    const a = await login('u')
    await refuse()
    await sessions.revoke(a.id, { reason: 'logout' })
    await heal()
    await sessions.close()
    const fresh = await onRedis(server.url)
    expect(await verdict(fresh.sessions, a.accessToken)).toBe('ended by logout')
  })
})

test('a ban whose sessions wait stays open on the account, and the next login finishes it or is told of the outage', async () => {
  const server = await start()
  const { set } = await raw(server)
  const { sessions, seen } = await onRedis(server.url)
  // Accounts somewhere else, where writes go on.
  const { accounts: accountStore, once, lifecycle } = memoryStore()
  const passwords = { argon2: { memoryKiB: 7_168, passes: 5, parallelism: 1 } }
  const store = { accounts: accountStore, once, lifecycle }
  const accounts = createAccounts({ store, keyring, sessions, passwords })
  const identifier = 'ada@example.com'
  const password = 'violet harbour teapot 91'
  const registered = await accounts.register({ identifier, password })
  if (!registered.ok) throw new Error(registered.reason)
  const { subject } = registered.account
  const issued = await sessions.issue({ subject, data: { n: 0 } })
  if (!issued.ok) throw new Error(issued.reason)

  await set('min-replicas-to-write', '1')
  expect(await accounts.ban(subject)).toMatchObject({ ok: true, ended: { durability: 'queued' } })
  expect(await verdict(sessions, issued.accessToken)).toBe('ended by banned')
  await expect(accounts.authenticate({ identifier, password })).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  await set('min-replicas-to-write', '0')
  expect(await accounts.authenticate({ identifier, password })).toMatchObject({ ok: false, reason: 'blocked' })
  await until(() => seen('subject_ended').length > 0)
  expect((await accountStore.bySubject({ tag: issued.session.sessionId.slice(0, 12), subject }))!.unsettled).toBe(null)
})

test('a write of which nothing is known is asked for again, and happens once', async () => {
  const server = await start()
  const proxy = await startRespProxy({ target: server.url })
  later(() => proxy.stop())
  const { sessions, login, seen } = await onRedis(proxy.url, { deadline: '0.5s' })
  const a = await login('u')
  // The server does it, and its answer is lost.
  proxy.pause('answers')
  expect(await sessions.revoke(a.id, { reason: 'logout' })).toEqual(QUEUED)
  proxy.cut()
  proxy.resume()
  await until(() => seen('revocation_done').length === 1)
  expect(seen('revocation_done')).toEqual([expect.objectContaining({ what: 'session', ended: 0 })])
  await expect.poll(() => verdict(sessions, a.accessToken), { timeout: 20_000 }).toBe('ended by logout')
})

test('a store that can do nothing with one of them does the others all the same', async () => {
  const server = await start()
  const { set, client } = await raw(server)
  const { sessions, login, seen } = await onRedis(server.url)
  const [a, b] = [await login('u'), await login('u')]
  await set('min-replicas-to-write', '1')
  await sessions.setRoles('u', [])
  await sessions.revoke(b.id, { reason: 'logout' })
  await set('min-replicas-to-write', '0')
  await client.set(`cs:{${a.id.slice(0, 12)}}:s:${a.id}`, 'not a record')
  await until(() => seen('revocation_done').length === 1)
  expect(seen('revocation_done')).toEqual([expect.objectContaining({ what: 'session', ended: 1 })])
  expect(sessions.health()).toMatchObject({ queued: 1 })
  // The one that ends whatever cannot be read makes way for the one that could not.
  expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ ended: 1 })
  await until(() => sessions.health().queued === 0)
})

test('stores without failovers queue as well', async () => {
  const memory = memoryStore()
  let away = false
  const end = (async (...args) => {
    if (away) throw Object.assign(await outage(), {})
    return memory.sessions.end(...args)
  }) as typeof memory.sessions.end
  const opened = openSessions({ ...memory, sessions: { ...memory.sessions, end } })
  const a = await opened.login('u')
  away = true
  expect(await opened.sessions.revoke(a.id, { reason: 'logout' })).toEqual(QUEUED)
  expect(await verdict(opened.sessions, a.accessToken)).toBe('ended by logout')
  away = false
  await until(() => opened.seen('revocation_done').length === 1)
  expect(await verdict(opened.sessions, a.accessToken)).toBe('ended by logout')
})

/** The fault of a real store that is not there. */
async function outage(): Promise<Error> {
  const store = redisStore({ url: 'redis://127.0.0.1:1' })
  const fault = await store.sessions.floor().catch((error: Error) => error)
  await store.lifecycle.close()
  return fault as Error
}
