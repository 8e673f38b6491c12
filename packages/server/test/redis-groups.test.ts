// The service on a Redis Cluster and behind sentinels: how it is told, what it prints, and that it outlives a failover.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { startRedisCluster } from '../../../tools/test-support/redis-cluster.ts'
import { eventually } from '../../../tools/test-support/redis-command.ts'
import { printable } from '../src/config/print.ts'
import { ConfigProblems, resolveConfig } from '../src/config/resolve.ts'
import { run, serve } from './process.ts'
import { bearer, Client } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-groups-'))
const cleanUp: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
afterAll(async () => {
  for (const undo of cleanUp.reverse()) await undo()
})

const keys = 'keys.json'
const fromFlag = (store: string) => resolveConfig({ flags: { store, keys }, env: {} })
let files = 0
const fromFile = (store: unknown) => {
  const file = join(folder, `config-${++files}.json`)
  writeFileSync(file, JSON.stringify({ store, keys }))
  return resolveConfig({ flags: {}, env: {}, file })
}
const problemOf = (resolving: Promise<unknown>) =>
  resolving.then(
    () => 'none',
    (error: unknown) => (error instanceof ConfigProblems ? error.problems.join('\n') : String(error)),
  )

describe('store', () => {
  test.each<[string, unknown, string]>([
    [
      'redis-cluster://u:p%40@a:7000,b:7001',
      { kind: 'redis-cluster', nodes: ['redis://u:p%40@a:7000', 'redis://u:p%40@b:7001'] },
      'redis-cluster://***@a:7000,b:7001',
    ],
    ['rediss-cluster://a', { kind: 'redis-cluster', nodes: ['rediss://a'] }, 'rediss-cluster://a'],
    [
      'redis-sentinel://a:26379,[::1]:26380?name=main',
      { kind: 'redis-sentinel', sentinels: { name: 'main', nodes: ['redis://a:26379', 'redis://[::1]:26380'] } },
      'redis-sentinel://a:26379,[::1]:26380/0?name=main',
    ],
    [
      'rediss-sentinel://u:p%40@a/3?name=main',
      {
        kind: 'redis-sentinel',
        sentinels: { name: 'main', nodes: ['rediss://a'], username: 'u', password: 'p@', database: 3, tls: true },
      },
      'rediss-sentinel://***@a/3?name=main',
    ],
  ])('%s', async (text, location, shown) => {
    const config = await fromFlag(text)
    expect(config.store).toEqual(location)
    expect(printable(config).store).toBe(shown)
  })

  test('in the file as the options of the library, with a login of the sentinels', async () => {
    const sentinels = { name: 'main', nodes: ['redis://:canary@a', 'redis://:canary@b'], password: 'canary' }
    const nodeAddressMap = { 'a:1': 'b:2' }
    const config = await fromFile({ sentinels, nodeAddressMap })
    expect(config.store).toEqual({ kind: 'redis-sentinel', sentinels, nodeAddressMap })
    expect(printable(config).store).toBe('redis-sentinel://***@a,b/0?name=main')
    expect((await fromFile({ nodes: ['redis://a'] })).store).toEqual({ kind: 'redis-cluster', nodes: ['redis://a'] })
  })

  test.each<[string, () => Promise<unknown>, string]>([
    ['a cluster with a database', () => fromFlag('redis-cluster://:canary@a/1'), 'must be sqlite'],
    ['sentinels without a name', () => fromFlag('redis-sentinel://:canary@a'), 'must be sqlite'],
    ['a broken encoding', () => fromFlag('redis-sentinel://:canary%zz@a?name=main'), 'must be sqlite'],
    ['no hosts', () => fromFlag('redis-cluster://'), 'must be sqlite'],
    ['both kinds', () => fromFile({ nodes: ['redis://a'], sentinels: {} }), 'must be sqlite'],
    ['a port that is none', () => fromFlag('redis-cluster://:canary@a:b'), 'store "nodes[0]" must be a URL'],
    [
      'two logins',
      () => fromFile({ nodes: ['redis://:canary@a', 'redis://b'] }),
      'store "nodes[1]" must have the same user',
    ],
    [
      'an unknown member',
      () => fromFile({ sentinels: { name: 'm', nodes: ['redis://a'], quorum: 1 } }),
      'is not an option',
    ],
  ])('refuses %s, once and without repeating it', async (_what, resolve, expected) => {
    const problem = await problemOf(resolve())
    expect(problem).toContain(expected)
    expect(problem.split('\n')).toHaveLength(1)
    expect(problem).not.toContain('canary')
  })

  test('needs the keys of all servers', async () => {
    expect(await problemOf(resolveConfig({ flags: { store: 'redis-cluster://a' }, env: {} }))).toContain(
      'keys is missing',
    )
  })
})

test('the service outlives the failover of a cluster, and doctor and the commands find it', {
  timeout: 180_000,
}, async () => {
  const cluster = await startRedisCluster({ nodeTimeoutMs: 2_000 })
  cleanUp.push(() => cluster.stop())
  const store = `redis-cluster://${cluster.nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  await run(['keys', 'generate', '--out', keys], { cwd: folder })
  const flags = ['--store', store, '--keys', keys]
  const served = await serve(flags, { cwd: folder })
  cleanUp.push(() => served.stop())
  const client = new Client(served.url)
  expect((await client.register('ada@example.com')).status).toBe(201)
  const { accessToken } = (
    await new Client(served.url, { origin: '' }).login('ada@example.com', { delivery: 'bearer' })
  ).body
  const whoAmI = async () => (await new Client(served.url).get('/auth/session', bearer(accessToken))).status
  expect(await whoAmI()).toBe(200)

  await cluster.settle()
  const killed = cluster.nodes.slice(0, 3)
  await killed[0]!.kill()
  // An outage of a part is 503 or nothing at all; never a 401, and never for long.
  const seen = new Set<number>()
  await eventually(
    'it answers again',
    async () => {
      const status = await whoAmI()
      seen.add(status)
      const ready = (await fetch(`${served.url}/readyz`)).status
      return status === 200 && ready === 200 && (await cluster.ownerOf(0).catch(() => killed[0])) !== killed[0]
    },
    (is) => is,
  )
  expect([...seen].filter((status) => status !== 200 && status !== 503)).toEqual([])

  const doctor = await run(['doctor', '--json', ...flags], { cwd: folder })
  expect(doctor.code, doctor.stdout).toBe(0)
  const warnings = (JSON.parse(doctor.stdout) as { status: string; message: string }[]).map(({ message }) => message)
  expect(warnings.some((message) => message.includes('appendonly is off'))).toBe(true)
  expect(warnings.some((message) => /127\.0\.0\.1:\d+: it has no replica/.test(message))).toBe(true)
  const ended = await run(['sessions', 'revoke', '--everyone', '--json', ...flags], { cwd: folder })
  expect(ended.code, ended.stderr + ended.stdout).toBeOneOf([0, 5])
})
