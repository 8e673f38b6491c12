// Logging in at a cluster, at sentinels and at the servers they watch: TLS, users with few rights, and what is wrong.
import { readFileSync } from 'node:fs'
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { type RedisStoreOptions, redisStore } from 'countersign/stores/redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Certificates, makeCertificates } from '../../../../tools/test-support/certificates.ts'
import { type RedisCluster, startRedisCluster } from '../../../../tools/test-support/redis-cluster.ts'
import { command } from '../../../../tools/test-support/redis-command.ts'
import { type RedisSentinels, startRedisSentinels } from '../../../../tools/test-support/redis-sentinel.ts'
import { type RedisServer, startRedis } from '../../../../tools/test-support/redis-server.ts'
import { startRespProxy } from '../../../../tools/test-support/resp-proxy.ts'
import { createRule, readyStore, recordOf, subjectRef } from './redis-kit.ts'

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo()
})
const ready = (options: RedisStoreOptions) => readyStore(options, (undo) => cleanUp.push(undo))

/** Why it does not get ready. */
async function refusal(options: RedisStoreOptions): Promise<Error & { code?: string }> {
  const store = redisStore(options)
  cleanUp.push(() => store.lifecycle.close())
  const error = await store.lifecycle.ready('logins').then(
    () => new Error('it is ready'),
    (failure: Error) => failure,
  )
  expect(`${error.message} ${String(error.cause)}`).not.toContain('canary')
  return error
}

async function works(store: Store): Promise<void> {
  const record = recordOf(subjectRef(), { createdAtMs: store.lifecycle.nowMs() })
  expect(await store.sessions.create(record, createRule, record.createdAtMs)).toMatchObject({ is: 'created' })
  expect(await store.sessions.read(record.id)).toMatchObject({ is: 'live' })
}

/** What `docs/operations.md` gives the user, without what this server has no name for. */
function rights(): string[] {
  const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')
  return /^ACL SETUSER countersign on >a-long-random-password (.*)$/m.exec(page)![1]!.split(' ')
}

/** Everything that a service does, so that a right that is missing is missed. Answers what `health()` warns of. */
async function everything(options: RedisStoreOptions): Promise<readonly string[]> {
  const keyring = await loadKeyring(generateKeyring())
  const base = { issuer: 'https://a', audience: 'https://b', reuse: 'strict' as const }
  const warnings: string[] = []
  for (const strategy of [allowlist(base), denylist(base)]) {
    const store = redisStore({ ...options, noEviction: true })
    const sessions = createSessions({ strategy, keyring, store, timeouts: 'aal2' })
    cleanUp.push(() => sessions.close())
    await sessions.ready()
    const issued = await sessions.issue({ subject: 'u' })
    if (!issued.ok) throw new Error(issued.reason)
    const next = await sessions.refresh(issued.refreshToken)
    if (!next.ok) throw new Error(next.reason)
    expect(await sessions.verify(next.accessToken)).toMatchObject({ ok: true })
    const listed = []
    for await (const session of sessions.list('u')) listed.push(session.sessionId)
    expect(listed).toHaveLength(1)
    await sessions.setRoles('u', [])
    await sessions.revokeAll('u', { reason: 'admin' })
    await sessions.revokeEveryone({ reason: 'admin' })
    warnings.push(...sessions.health().warnings)
  }
  return warnings
}

describe('a single server', () => {
  it('is reached over TLS, by name or address, and only when somebody we know vouches for it', {
    timeout: 60_000,
  }, async () => {
    const tls = makeCertificates()
    const server = await startRedis({ morePorts: ['tls-port'], args: tls.redisArgs })
    cleanUp.push(
      () => tls.remove(),
      () => server.stop(),
    )
    const port = server.ports['tls-port']
    await works(await ready({ url: `rediss://127.0.0.1:${port}`, tls: { ca: tls.caPem } }))
    await works(await ready({ url: `rediss://localhost:${port}/2`, tls: { ca: tls.caPem } }))
    for (const more of [{}, { tls: { ca: tls.caPem, servername: 'elsewhere.example' } }])
      expect(await refusal({ url: `rediss://127.0.0.1:${port}`, ...more })).toMatchObject({
        code: 'ERR_STORE_MISCONFIGURED',
        message: expect.stringMatching(/TLS.*(SELF_SIGNED|ALTNAME).*at 127/),
      })
  })

  it('lets a user in with the rights of docs/operations.md, in any database', async () => {
    const server = await startRedis()
    cleanUp.push(() => server.stop())
    await command(server.url, 'ACL', 'SETUSER', 'countersign', 'on', '>pw', ...rights())
    const warnings = await everything({ url: `redis://countersign:pw@127.0.0.1:${server.port}/5` })
    expect(warnings.filter((warning) => /CONFIG|not known/.test(warning))).toEqual([])
    expect(await command(`${server.url}/5`, 'EXISTS', 'cs:{floor}')).toBe(1)
    expect(await command(server.url, 'DBSIZE')).toBe(0)
  })
})

describe('a cluster', () => {
  let tls: Certificates
  let cluster: RedisCluster
  beforeAll(async () => {
    tls = makeCertificates()
    cluster = await startRedisCluster({
      replicas: 0,
      requirepass: 'canary-right',
      morePorts: ['tls-port'],
      args: [...tls.redisArgs, '--tls-cluster', 'yes'],
    })
  }, 120_000)
  afterAll(async () => {
    await cluster?.stop()
    tls?.remove()
  })

  const at = (port: (server: RedisServer) => number, scheme: string, login: string) =>
    cluster.nodes.slice(0, 2).map((server) => `${scheme}://${login}127.0.0.1:${port(server)}`)
  const plain = (login: string) => at(({ port }) => port, 'redis', login)
  const secure = (login: string) => at(({ ports }) => ports['tls-port']!, 'rediss', login)

  it('is reached with its password, without TLS and with it', async () => {
    await works(await ready({ nodes: plain(':canary-right@') }))
    const store = await ready({ nodes: secure(':canary-right@'), tls: { ca: tls.caPem } })
    await works(store)
    // Also to the nodes that nobody named: the other store is on the plain ports.
    for (const { url, ports } of cluster.nodes)
      expect(String(await command(url, 'CLIENT', 'LIST'))).toContain(`laddr=127.0.0.1:${ports['tls-port']} `)
  })

  it.each([
    ['a wrong password', () => ({ nodes: plain(':canary-wrong@') }), 'refused user or password'],
    ['no password', () => ({ nodes: plain('') }), 'wants a password'],
    ['an unknown user', () => ({ nodes: plain('nobody:canary-right@') }), 'refused user or password'],
  ])('refuses %s at once, naming the node', async (_what, options, message) => {
    const started = Date.now()
    const error = await refusal(options())
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining(message) })
    expect(error.message).toMatch(/127\.0\.0\.1:\d+/)
    expect(Date.now() - started).toBeLessThan(8_000)
  })

  it('is not trusted when its certificate is by nobody we know', { timeout: 60_000 }, async () => {
    expect(await refusal({ nodes: secure(':canary-right@') })).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED' })
  })

  it('is no single server, and says what to give instead', async () => {
    expect(await refusal({ url: plain(':canary-right@')[0]! })).toMatchObject({
      code: 'ERR_STORE_MISCONFIGURED',
      message: expect.stringContaining('give some of its nodes as "nodes"'),
    })
  })

  it('works for a user with the rights of docs/operations.md, and they are not too few to check the settings', async () => {
    for (const { url } of cluster.nodes) await command(url, 'ACL', 'SETUSER', 'countersign', 'on', '>pw', ...rights())
    const warnings = await everything({ nodes: plain('countersign:pw@'), prefix: 'cs:few' })
    expect(warnings.filter((warning) => /CONFIG|not known/.test(warning))).toEqual([])
  })

  it('is reached by other addresses than it announces', async () => {
    const proxies = await Promise.all(cluster.nodes.map(({ url }) => startRespProxy({ target: url })))
    cleanUp.push(() => Promise.all(proxies.map((proxy) => proxy.stop())))
    const nodeAddressMap = Object.fromEntries(
      cluster.nodes.map(({ port }, n) => [`127.0.0.1:${port}`, `127.0.0.1:${proxies[n]!.port}`]),
    )
    const store = await ready({ nodes: [proxies[0]!.url], nodeAddressMap })
    const before = proxies.map((proxy) => proxy.counts().total)
    for (let n = 0; n < 20; n++) await works(store)
    // The keys are spread over all of them, and none is asked behind the proxies' backs.
    for (const [n, proxy] of proxies.entries()) expect(proxy.counts().total).toBeGreaterThan(before[n]!)
    expect(
      proxies
        .map((proxy) => proxy.counts().scripts)
        .reduce((sum, counts) => sum + Object.values(counts).reduce((a, b) => a + b, 0), 0),
    ).toBeGreaterThanOrEqual(20)
  })
})

describe('sentinels', () => {
  let tls: Certificates
  let group: RedisSentinels
  let single: RedisServer
  beforeAll(async () => {
    tls = makeCertificates()
    const secure = [...tls.redisArgs, '--tls-replication', 'yes']
    ;[group, single] = await Promise.all([
      startRedisSentinels({
        replicas: 1,
        requirepass: 'canary-data',
        sentinelPassword: 'canary-watch',
        morePorts: ['tls-port'],
        knownBy: 'tls-port',
        args: [...secure, '--min-replicas-to-write', '1'],
        sentinelArgs: secure,
      }),
      startRedis(),
    ])
  }, 120_000)
  afterAll(async () => {
    await single?.stop()
    await group?.stop()
    tls?.remove()
  })

  const nodes = (login = ':canary-watch@') =>
    group.sentinels.map(({ ports }) => `rediss://${login}127.0.0.1:${ports['tls-port']}`)
  const given = (more: object = {}): RedisStoreOptions => ({
    sentinels: { name: 'main', nodes: nodes(), password: 'canary-data', tls: true, ...more },
    tls: { ca: tls.caPem },
  })

  it('and their primary are reached over TLS, each with its own password, in any database', async () => {
    await works(await ready(given()))
    await works(await ready(given({ database: 7 })))
    const primary = await group.primary()
    expect(String(await command(`${primary.url}/7`, 'EXISTS', 'cs:{floor}'))).toBe('1')
  })

  it.each([
    [
      'a name that nobody watches',
      () => given({ name: 'other' }),
      'watches no primary of the name that "sentinels.name" gives',
    ],
    ['a wrong password of the sentinels', () => given({ nodes: nodes(':canary-wrong@') }), 'refused user or password'],
    ['a wrong password of the primary', () => given({ password: 'canary-wrong' }), 'refused user or password'],
    ['a server that is no sentinel', () => ({ sentinels: { name: 'main', nodes: [single.url] } }), 'is no sentinel'],
  ])('refuse %s', async (_what, options, message) => {
    const error = await refusal(options())
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining(message) })
    expect(error.message).toMatch(/127\.0\.0\.1:\d+/)
  })

  it('are no server themselves', async () => {
    const error = await refusal({ url: nodes()[0]!, tls: { ca: tls.caPem } })
    expect(error).toMatchObject({ code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining('"sentinels"') })
  })

  it('let a user in with the rights of docs/operations.md', async () => {
    for (const { url } of group.nodes) await command(url, 'ACL', 'SETUSER', 'countersign', 'on', '>pw', ...rights())
    const page = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')
    const watcher = /^ACL SETUSER watcher on >another-random-password (.*)$/m.exec(page)![1]!.split(' ')
    for (const { url } of group.sentinels) await command(url, 'ACL', 'SETUSER', 'watcher', 'on', '>pw', ...watcher)
    const logins = { username: 'countersign', password: 'pw', database: 3, nodes: nodes('watcher:pw@') }
    const warnings = await everything(given(logins))
    expect(warnings.filter((warning) => /CONFIG|not known/.test(warning))).toEqual([])
  })

  it('are asked in vain when a cluster is meant', async () => {
    expect(await refusal({ nodes: [single.url] })).toMatchObject({
      code: 'ERR_STORE_MISCONFIGURED',
      message: expect.stringContaining('is no node of a cluster'),
    })
  })
})
