/** What a revocation waits for, and what its answer says of it. Real servers: a primary, its replicas, and cut links. */
import { createClient } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { startReplicated } from '../../../../tools/test-support/redis-replicas.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { ask } from '../../../../tools/test-support/resp.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { scripts } from '../../src/stores/redis/scripts.generated.ts'
import { cleanUpAll, later, onRedis, sleep, until } from './kit.ts'

afterEach(cleanUpAll)

const WITHIN = { durable: { within: '2s' } } as const

async function replicated(count: number) {
  const redis = await startReplicated(count)
  later(() => redis.stop())
  return redis
}

test('with all replicas there, every revocation is replicated and says by how many', async () => {
  const redis = await replicated(2)
  const { sessions, login } = await onRedis(redis.url, { durable: { within: '10s' } }, { strategy: 'denylist' })
  const { id } = await login('u')
  const other = await login('u')
  const has = { durability: 'replicated', replicas: 2 }
  expect(await sessions.setRoles('u', [])).toMatchObject(has)
  expect(await sessions.revoke(other.id, { reason: 'admin', jti: 'x' })).toMatchObject({ ended: 1, ...has })
  expect(await sessions.revoke(id, { reason: 'logout' })).toMatchObject({ ended: 1, ...has })
  expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ ended: 1, ...has })
  expect(await sessions.revokeEveryone({ reason: 'admin' })).toMatchObject(has)
  // What was said is so: each replica has the tombstone.
  for (const { server } of redis.replicas) {
    const raw = createClient({ url: server.url })
    await raw.connect()
    later(() => raw.destroy())
    expect(Buffer.from((await raw.get(`cs:{${id.slice(0, 12)}}:s:${id}`))!, 'latin1').at(1)).toBe(2)
  }
})

test('other writes wait only when they are asked to', async () => {
  const redis = await replicated(1)
  const { sessions } = await onRedis(redis.url, { durable: { within: '10s' } })
  const durable = 'replicated'
  const plain = await sessions.issue({ subject: 'u', data: { n: 0 } })
  expect(plain).toMatchObject({ ok: true, durability: 'local' })
  expect(plain).not.toHaveProperty('replicas')
  const issued = await sessions.issue({ subject: 'u', data: { n: 0 }, durable })
  expect(issued).toMatchObject({ ok: true, durability: 'replicated', replicas: 1 })
  if (!issued.ok) throw new Error(issued.reason)
  const id = issued.session.sessionId
  expect(await sessions.update(id, () => ({ n: 1 }))).toMatchObject({ durability: 'local' })
  expect(await sessions.update(id, () => ({ n: 2 }), { durable })).toMatchObject({
    durability: 'replicated',
    replicas: 1,
  })
  expect(await sessions.refresh(issued.refreshToken)).toMatchObject({ durability: 'local' })
  expect(await sessions.refresh(issued.refreshToken, { durable })).toMatchObject({ durability: 'replicated' })
  expect(await sessions.stepUp(id, { acr: 'aal2', amr: [] }, { durable })).toMatchObject({ durability: 'replicated' })
  await expect(sessions.issue({ subject: 'u', data: { n: 0 }, durable: 'fsynced' as never })).rejects.toMatchObject({
    code: 'ERR_INPUT_INVALID',
  })
})

test('with one of two cut off it is local, says by how many, takes effect at once and is no error', async () => {
  const redis = await replicated(2)
  const { sessions, login } = await onRedis(redis.url, WITHIN)
  const [a, b] = [await login('a'), await login('b')]
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  const first = sessions.revoke(a.id, { reason: 'logout' })
  // While the first waits for the replica that will not answer, the second has its effect.
  await sleep(50)
  const second = sessions.revoke(b.id, { reason: 'logout' })
  await until(async () => !(await sessions.verify(b.accessToken)).ok)
  expect(await first).toMatchObject({ ended: 1, durability: 'local', replicas: 1 })
  expect(await second).toMatchObject({ ended: 1, durability: 'local', replicas: 1 })
  const issued = await sessions.issue({ subject: 'c', data: { n: 0 }, durable: 'replicated' })
  expect(issued).toMatchObject({ ok: true, durability: 'local', replicas: 1 })
})

test('a number that is smaller than all is enough when it is asked for, and 0 never waits', async () => {
  const redis = await replicated(2)
  const one = await onRedis(redis.url, { durable: { within: '10s', replicas: 1 } })
  const none = await onRedis(redis.url, { durable: { replicas: 0 } })
  const [a, b] = [await one.login('a'), await none.login('b')]
  await redis.inSync()
  redis.replicas[0]!.link.pause()
  expect(await one.sessions.revoke(a.id, { reason: 'logout' })).toMatchObject({ durability: 'replicated', replicas: 1 })
  const done = await none.sessions.revoke(b.id, { reason: 'logout' })
  expect(done).toMatchObject({ durability: 'local' })
  expect(done).not.toHaveProperty('replicas')
})

test('fewer replicas than are wanted are not waited for in vain', async () => {
  const redis = await replicated(1)
  const { sessions, login } = await onRedis(redis.url, { durable: { within: '10s', replicas: 2 } })
  const { id } = await login('u')
  const startedMs = Date.now()
  expect(await sessions.revoke(id, { reason: 'logout' })).toMatchObject({ durability: 'local', replicas: 1 })
  expect(Date.now() - startedMs).toBeLessThan(9_000)
})

test('one WAIT covers all that come while another is under way', async () => {
  const redis = await replicated(1)
  const names = new Map(Object.values(scripts).map((script) => [script.sha1, script.name]))
  const proxy = await startRespProxy({ target: redis.primary.url, scripts: names })
  later(() => proxy.stop())
  const { sessions, login } = await onRedis(proxy.url, { durable: { within: '10s' } })
  const logins = await Promise.all(Array.from({ length: 50 }, (_, n) => login(`u${n}`)))
  await sessions.revokeAll('warm', { reason: 'admin' })
  proxy.reset()
  const done = await Promise.all(logins.map(({ id }) => sessions.revoke(id, { reason: 'logout' })))
  expect(new Set(done.map(({ durability, replicas }) => `${durability} ${replicas}`))).toEqual(
    new Set(['replicated 1']),
  )
  const { commands, scripts: ran } = proxy.counts()
  expect(ran['end-session']).toBe(50)
  expect(commands.WAIT).toBeLessThanOrEqual(25)
  expect(commands.WAIT).toBe(ran['mark-write'])
})

test('a server that has forgotten the scripts is told them, and what was written is waited for', async () => {
  const redis = await replicated(1)
  const { sessions } = await onRedis(redis.url, { durable: { within: '10s' } })
  await ask(redis.primary.port, [['SCRIPT', 'FLUSH']])
  const answers = await Promise.all(['a', 'b', 'c'].map((name) => sessions.revokeAll(name, { reason: 'admin' })))
  for (const answer of answers) expect(answer).toMatchObject({ durability: 'replicated', replicas: 1 })
})

describe('without replicas', () => {
  test('there is no second connection and no WAIT', async () => {
    const server = await startRedis()
    const proxy = await startRespProxy({ target: server.url })
    later(() => server.stop())
    later(() => proxy.stop())
    const { sessions, login } = await onRedis(proxy.url)
    const { id } = await login('u')
    const done = await sessions.revoke(id, { reason: 'logout' })
    expect(done).toMatchObject({ ended: 1, durability: 'local' })
    expect(done).not.toHaveProperty('replicas')
    expect(proxy.counts().connections).toHaveLength(1)
    expect(proxy.counts().commands.WAIT).toBeUndefined()
  })

  test.each([
    ['always', 'fsynced'],
    ['everysec', 'local'],
  ] as const)('appendfsync %s is %s', async (appendfsync, durability) => {
    const server = await startRedis({ appendonly: true, appendfsync })
    later(() => server.stop())
    const { sessions } = await onRedis(server.url)
    expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ durability })
  })

  test('a server without WAITAOF is not asked for it', async () => {
    const server = await startRedis({ appendonly: true, appendfsync: 'everysec' })
    later(() => server.stop())
    const { sessions } = await onRedis(server.url, { durable: { fsync: true } })
    expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ durability: 'local' })
  })
})

test('nothing counts as replicated that another server than the writer confirms', async () => {
  // The WAIT goes over a second connection: here to a server that never had the write, and whose replica is in good health.
  const [here, there] = [await replicated(1), await replicated(1)]
  const { sessions, login } = await onRedis(here.url, { durable: { within: '2s' } })
  const { id } = await login('u')
  here.front.retarget(there.primary.url)
  expect(await sessions.revoke(id, { reason: 'logout' })).toMatchObject({ durability: 'local', replicas: 0 })
})

test('a user that may not WAIT gets an honest answer, and a warning', async () => {
  const redis = await replicated(1)
  await ask(redis.primary.port, [['ACL', 'SETUSER', 'few', 'on', '>pw', '~cs:*', '+@all', '-wait']])
  const { sessions } = await onRedis(redis.url.replace('redis://', 'redis://few:pw@'))
  expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ durability: 'local', replicas: 0 })
  expect(sessions.health().warnings).toContainEqual(
    expect.stringMatching(/^replicas cannot be waited for: .*\(promise 4\)$/),
  )
})

test("an application's own client is never held up by a WAIT, and says so", async () => {
  const redis = await replicated(1)
  const client = createClient({ url: redis.url })
  client.on('error', () => {})
  await client.connect()
  later(() => client.destroy())
  const { sessions } = await onRedis(redis.url, { url: undefined, client })
  expect(await sessions.revokeAll('u', { reason: 'admin' })).toMatchObject({ durability: 'local', replicas: 0 })
  expect(sessions.health().warnings.at(-1)).toContain('replicas are not waited for')
})
