// The parts of the topologies that need no server: the start check of several servers, views of a cluster, the fence.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/internal/runtime.ts'
import { clusterView } from '../../src/stores/redis/cluster-view.ts'
import type { Connection } from '../../src/stores/redis/connection.ts'
import type { Primary } from '../../src/stores/redis/executor.ts'
import { PrimaryChecks } from '../../src/stores/redis/primary-checks.ts'
import { checkServer, type Deployment } from '../../src/stores/redis/server-check.ts'
import { redirectOf } from '../../src/stores/redis/topology.ts'
import { RENEW_MS, STALE_MS, WriteFence } from '../../src/stores/redis/write-fence.ts'

const SAFE = {
  'maxmemory-policy': 'noeviction',
  appendonly: 'yes',
  appendfsync: 'always',
  'min-replicas-to-write': '1',
  'min-replicas-max-lag': '3',
  'cluster-node-timeout': '5000',
  'cluster-allow-reads-when-down': 'no',
}
const INFO = { redis_version: '8.4.0', role: 'master', connected_slaves: '1' }

describe('the start check', () => {
  const check = (
    deployment: Deployment,
    config: Record<string, string> | null = {},
    info: Record<string, string> = {},
  ) => {
    const redis_mode = deployment === 'cluster' ? 'cluster' : 'standalone'
    return checkServer(
      {
        info: new Map(Object.entries({ ...INFO, redis_mode, ...info })),
        config: config && new Map(Object.entries({ ...SAFE, ...config })),
      },
      deployment,
    )
  }

  it('knows for how long a server that was replaced may go on answering', () => {
    expect(check('single')).toMatchObject({ staleForMs: 0, warnings: [] })
    expect(check('cluster')).toMatchObject({ staleForMs: 6_000, warnings: [] })
    expect(check('sentinel')).toMatchObject({ staleForMs: 5_000, warnings: [] })
  })

  it.each<[string, Deployment, Record<string, string> | null, Record<string, string>, string]>([
    [
      'sentinels and no minimum of replicas',
      'sentinel',
      { 'min-replicas-to-write': '0' },
      {},
      'no bound for a revocation (promise 2)',
    ],
    [
      'sentinels and no limit for their lag',
      'sentinel',
      { 'min-replicas-max-lag': '0' },
      {},
      'no bound for a revocation (promise 2)',
    ],
    ['sentinels and no CONFIG GET', 'sentinel', null, { aof_enabled: '1' }, 'min-replicas-to-write is not known'],
    ['a cluster and no CONFIG GET', 'cluster', null, { aof_enabled: '1' }, 'cluster-node-timeout is not known'],
    ['a long node timeout', 'cluster', { 'cluster-node-timeout': '60000' }, {}, 'cluster-node-timeout is 60000'],
    ['a primary without a replica', 'cluster', {}, { connected_slaves: '0' }, 'it has no replica'],
  ])('warns of %s', (_what, deployment, config, info, says) => {
    const { warnings, staleForMs } = check(deployment, config, info)
    expect(warnings).toContainEqual(expect.stringContaining(says))
    if (/no bound|not known/.test(says)) expect(staleForMs).toBeNull()
  })

  it('refuses a cluster that answers while it is down', () => {
    expect(() => check('cluster', { 'cluster-allow-reads-when-down': 'yes' })).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_MISCONFIGURED' }),
    )
  })

  it('takes a replica for a mistake where there is one server, and for a change of roles elsewhere', () => {
    expect(() => check('single', {}, { role: 'slave' })).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_MISCONFIGURED' }),
    )
    for (const deployment of ['cluster', 'sentinel'] as const)
      expect(() => check(deployment, {}, { role: 'slave' })).toThrow(
        expect.objectContaining({ code: 'ERR_STORE_UNAVAILABLE', retryable: true }),
      )
  })
})

describe('several primaries', () => {
  const primary = (id: string, config: Record<string, string> = {}, aheadMs = 0): Primary => ({
    id,
    isUp: true,
    async send([name]) {
      if (name === 'CONFIG')
        return Object.entries({ ...SAFE, ...config })
          .flat()
          .map((text) => Buffer.from(text))
      if (name !== 'INFO') return null
      const lines = { ...INFO, redis_mode: 'cluster', server_time_usec: String((Date.now() + aheadMs) * 1_000) }
      return Buffer.from(
        Object.entries(lines)
          .map(([field, value]) => `${field}:${value}`)
          .join('\r\n'),
      )
    },
  })
  async function verdictOf(...primaries: Primary[]) {
    const checks = new PrimaryChecks('cluster', systemRuntime.clock, () => primaries)
    for (const one of primaries) await checks.check(one)
    return { checks, verdict: checks.verdict() }
  }

  it('are worth what the weakest of them is worth, and it is named', async () => {
    const { verdict } = await verdictOf(
      primary('a:1'),
      primary('b:1', { appendfsync: 'everysec', 'cluster-node-timeout': '9000' }),
      primary('c:1', { 'maxmemory-policy': 'allkeys-lru' }),
    )
    expect(verdict).toMatchObject({ durability: 'local', keepsAll: false, staleForMs: 10_000 })
    expect(verdict.warnings).toEqual([
      expect.stringMatching(/^b:1: appendfsync is everysec/),
      expect.stringMatching(/^c:1: maxmemory-policy is allkeys-lru/),
    ])
  })

  it('are told of once for what they have in common', async () => {
    const { verdict } = await verdictOf(primary('a:1', { appendonly: 'no' }), primary('b:1', { appendonly: 'no' }))
    expect(verdict.warnings).toEqual([expect.stringMatching(/^appendonly is off/)])
  })

  it('promise nothing while one has not been checked', async () => {
    const [a, b] = [primary('a:1'), primary('b:1')]
    const { checks, verdict } = await verdictOf(a, b)
    expect(verdict).toMatchObject({ warnings: [], durability: 'fsynced', keepsAll: true, staleForMs: 6_000 })
    checks.forget(b)
    expect(checks.verdict()).toMatchObject({ durability: 'local', keepsAll: false, staleForMs: null })
    expect(checks.verdict().warnings).toEqual(['b:1: the settings of the server have not been checked yet'])
  })

  it('are compared by their clocks', async () => {
    const { verdict } = await verdictOf(primary('a:1'), primary('b:1', {}, 30_000))
    expect(verdict.warnings).toEqual([expect.stringMatching(/^the clock of b:1 is 30\.0 s ahead of that of a:1/)])
    expect((await verdictOf(primary('a:1'), primary('b:1', {}, 300))).verdict.warnings).toEqual([])
  })
})

describe('a view of a cluster', () => {
  const info = Buffer.from('cluster_state:ok\r\ncluster_current_epoch:7\r\n')

  it('has the ranges of the primaries, whatever they call themselves', () => {
    const node = (host: string | null, port: number) => [
      host === null ? null : Buffer.from(host),
      port,
      Buffer.from('id'),
      [],
    ]
    expect(
      clusterView(info, [
        [0, 99, node('10.0.0.1', 7_000), node('10.0.0.2', 7_000)],
        [100, 199, node('', 7_001)],
        [200, 299, node(null, 7_002)],
        [300, 16_383, node('?', 7_003)],
      ]),
    ).toEqual({
      epoch: 7,
      isOk: true,
      ranges: [
        { from: 0, to: 99, primary: { host: '10.0.0.1', port: 7_000 } },
        { from: 100, to: 199, primary: { port: 7_001 } },
        { from: 200, to: 299, primary: { port: 7_002 } },
        { from: 300, to: 16_383, primary: { port: 7_003 } },
      ],
    })
  })

  it.each([[null], [[[0, 20_000, []]]], [[['a', 1, []]]], [[[0, 1]]]])('that is none is an error: %j', (slots) => {
    expect(() => clusterView(info, slots as never)).toThrow(expect.objectContaining({ code: 'ERR_STORE_CORRUPT' }))
  })

  it('is contradicted by redirections, which name a slot and a place', () => {
    const by = {} as Connection
    expect(redirectOf(new Error('MOVED 3999 127.0.0.1:6381'), by)).toEqual({
      is: 'MOVED',
      slot: 3_999,
      host: '127.0.0.1',
      port: 6_381,
      by,
    })
    expect(redirectOf(new Error('ASK 1 ::1:7000'), by)).toMatchObject({ is: 'ASK', host: '::1', port: 7_000 })
    expect(redirectOf(new Error('MOVED 1 :7000'), by)).toMatchObject({ host: '' })
    for (const text of ['MOVED', 'MOVED x a:1', 'TRYAGAIN 1 a:1', 'MOVED __proto__ a:1'])
      expect(redirectOf(new Error(text), by)).toBeUndefined()
  })
})

describe('the write fence', () => {
  function fenced() {
    let [nowMs, wallMs] = [0, 1_000_000]
    const clock = { nowMs: () => wallMs, monotonicMs: () => nowMs }
    const answers: { resolve: (reply: number) => void; reject: (error: Error) => void }[] = []
    const connection: Connection = {
      id: 'a:1',
      isUp: true,
      offline: () => new Error() as never,
      send: () => new Promise((resolve, reject) => answers.push({ resolve, reject })),
    }
    const fence = new WriteFence({ clock })
    return {
      pass: () => fence.pass(connection),
      answers,
      advance: (monotonic: number, wall = monotonic) => {
        nowMs += monotonic
        wallMs += wall
      },
    }
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve))

  it('is waited for at first, then renewed beside the reads, and one at a time', async () => {
    const { pass, answers, advance } = fenced()
    const [one, two] = [pass(), pass()]
    expect(one).toBe(two)
    expect(answers).toHaveLength(1)
    answers[0]!.resolve(1)
    await one
    expect(pass()).toBeUndefined()
    advance(RENEW_MS)
    expect([pass(), pass()]).toEqual([undefined, undefined])
    expect(answers).toHaveLength(2)
    answers[1]!.resolve(1)
    await settled()
    advance(RENEW_MS - 1)
    expect(pass()).toBeUndefined()
    expect(answers).toHaveLength(2)
  })

  it('counts from when it was sent, not from when it was answered', async () => {
    const { pass, answers, advance } = fenced()
    const waiting = pass()
    advance(STALE_MS)
    answers[0]!.resolve(1)
    await waiting
    expect(pass()).toBeInstanceOf(Promise)
  })

  it('holds reads up when it is not answered in time, and fails them when it is refused', async () => {
    const { pass, answers, advance } = fenced()
    const first = pass()
    answers[0]!.resolve(1)
    await first
    advance(RENEW_MS)
    expect(pass()).toBeUndefined()
    advance(STALE_MS - RENEW_MS)
    const held = pass()
    expect(held).toBeInstanceOf(Promise)
    const refused = expect(held).rejects.toThrow('NOREPLICAS')
    answers[1]!.reject(new Error('NOREPLICAS Not enough good replicas to write.'))
    await refused
    // And the next read asks anew.
    expect(pass()).toBeInstanceOf(Promise)
    expect(answers).toHaveLength(3)
    answers[2]!.resolve(1)
  })

  it('is over after a suspension, during which only the wall clock went on', async () => {
    const { pass, answers, advance } = fenced()
    const first = pass()
    answers[0]!.resolve(1)
    await first
    advance(0, 3_600_000)
    expect(pass()).toBeInstanceOf(Promise)
    answers[1]!.resolve(1)
  })

  it('is marked as a script that may write, and writes nothing', () => {
    const file = new URL('../../src/stores/redis/scripts/pass-fence-0.lua', import.meta.url)
    expect(readFileSync(file, 'utf8')).not.toMatch(/@readonly|redis\./)
  })
})
