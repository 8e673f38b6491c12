// Real stores on real servers, each with what can be done to it while it is used.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { loadDriver } from '../../packages/countersign/src/stores/sqlite/driver.ts'
import { startPostgres } from '../test-support/postgres-server.ts'
import { startRedisCluster } from '../test-support/redis-cluster.ts'
import { command } from '../test-support/redis-command.ts'
import { startRedisSentinels } from '../test-support/redis-sentinel.ts'
import { startRedis } from '../test-support/redis-server.ts'
import { startRespProxy } from '../test-support/resp-proxy.ts'
import { type Watched, watchRoles } from './roles.ts'
import type { Context } from './scenario.ts'

/** Something bad, with its end. */
export interface Trouble {
  readonly what: string
  /** Does it, and resolves when it has passed. */
  run(moment: Moment): Promise<void>
}

export interface Moment {
  /** The process that is hit, where it is one. */
  readonly node: number
  readonly forMs: number
  sleep(ms: number): Promise<void>
  nowMs(): number
  /** Nobody can reach the store from now on, until it resolves. */
  outage<T>(during: () => Promise<T>): Promise<T>
}

export interface Place {
  readonly name: string
  /** How old an answer from a copy may be. */
  readonly staleMs: number
  /** A store for a process of its own. */
  open(node: number): Store
  readonly troubles: readonly Trouble[]
  readonly replicas?: Replicas
}

/** Where replicas take over, asked or not. */
export interface Replicas {
  /** Tells of each time that what had been acknowledged may be lost, until it is stopped. */
  watch(nowMs: () => number, lost: (loss: Watched) => void): () => Promise<void>
  /** Resolves when all servers agree again. */
  settle(): Promise<unknown>
}

/** Processes of one place. */
export const NODES = 3

export async function onRedis({ cleanUp }: Context): Promise<Place> {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always', policy: 'noeviction' })
  cleanUp(() => redis.stop())
  const proxies = await Promise.all(Array.from({ length: NODES }, () => startRespProxy({ target: redis.url })))
  for (const proxy of proxies) cleanUp(() => proxy.stop())
  const held = (direction: 'answers' | 'both', end: 'resume' | 'lose'): Trouble['run'] => {
    return async ({ node, forMs, sleep }) => {
      proxies[node]!.pause(direction)
      await sleep(forMs)
      if (end === 'lose') proxies[node]!.cut()
      proxies[node]!.resume()
    }
  }
  return {
    name: 'redis',
    staleMs: 1_000,
    open: (node) => redisStore({ url: proxies[node]!.url }),
    troubles: [
      { what: 'a process loses its connections', run: async ({ node }) => proxies[node]!.cut() },
      { what: 'a process hears nothing, and then everything', run: held('both', 'resume') },
      { what: 'a process hears nothing, and never will', run: held('both', 'lose') },
      { what: 'answers to a process come late', run: held('answers', 'resume') },
      { what: 'answers to a process are lost', run: held('answers', 'lose') },
      {
        what: 'the server ends all connections',
        run: async () => void (await command(redis.url, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')),
      },
      {
        what: 'the server forgets all scripts',
        run: async () => void (await command(redis.url, 'SCRIPT', 'FLUSH', 'SYNC')),
      },
      {
        what: 'the server stands still',
        async run({ forMs, sleep }) {
          await redis.kill('SIGSTOP')
          await sleep(forMs)
          await redis.kill('SIGCONT')
        },
      },
      {
        what: 'the server is killed and comes back',
        async run({ forMs, sleep, outage }) {
          await redis.kill('SIGKILL')
          await outage(() => sleep(forMs))
          await redis.restart()
        },
      },
    ],
  }
}

export async function onPostgres({ cleanUp }: Context): Promise<Place> {
  const server = await startPostgres()
  cleanUp(() => server.stop())
  const terminate =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
  return {
    name: 'postgres',
    staleMs: 1_000,
    open: () => postgresStore({ url: server.url }),
    troubles: [
      { what: 'the server ends all connections', run: async () => void (await server.query(terminate)) },
      {
        what: 'the server crashes and comes back',
        async run({ forMs, sleep, outage }) {
          await server.kill('SIGQUIT')
          await outage(() => sleep(forMs))
          await server.restart()
        },
      },
      {
        what: 'the server stands still',
        async run({ forMs, sleep }) {
          await server.kill('SIGSTOP')
          await sleep(forMs)
          await server.kill('SIGCONT')
        },
      },
    ],
  }
}

export async function onSqlite({ cleanUp }: Context): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-faults-'))
  cleanUp(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'sessions.db')
  const { DatabaseSync } = await loadDriver()
  return {
    name: 'sqlite',
    // It is asked at every use of a copy.
    staleMs: 0,
    open: () => sqliteStore({ file, busyDeadline: '1s' }),
    troubles: [
      {
        what: 'somebody else holds the write lock',
        async run({ forMs, sleep }) {
          const other = new DatabaseSync(file)
          other.exec('PRAGMA busy_timeout = 5000')
          other.exec('BEGIN IMMEDIATE')
          await sleep(forMs)
          other.exec('ROLLBACK')
          other.close()
        },
      },
    ],
  }
}

const NODE_TIMEOUT_MS = 2_000

export interface ClusterTroubles {
  /** Without what may lose acknowledged writes: slots that move, and failovers in agreement. */
  readonly isGentle?: boolean
}

export async function onCluster(
  { cleanUp, random }: Context,
  { isGentle = false }: ClusterTroubles = {},
): Promise<Place> {
  const cluster = await startRedisCluster({ nodeTimeoutMs: NODE_TIMEOUT_MS })
  cleanUp(() => cluster.stop())
  /** A slot that something is in, and who has it. */
  const usedSlot = async () => {
    const key = await command(random.pick(cluster.nodes.filter((node) => node.isRunning)).url, 'RANDOMKEY')
    const slot = key === null ? random.below(16_384) : await cluster.slotOf(String(key))
    return { slot, owner: await cluster.ownerOf(slot) }
  }
  const primaries = async () => {
    const owners = new Set<(typeof cluster.nodes)[number]>()
    for (const slot of [0, 8_000, 16_383]) owners.add(await cluster.ownerOf(slot))
    return [...owners]
  }
  /** When a primary last handed over in agreement, which loses nothing. */
  const agreed = { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.NEGATIVE_INFINITY }
  const gentle: Trouble[] = [
    {
      what: 'a slot moves, with all that is in it',
      async run() {
        const { slot, owner } = await usedSlot()
        const others = (await primaries()).filter((node) => node !== owner)
        if (others.length > 0) await cluster.moveSlot(slot, random.pick(others))
      },
    },
    {
      what: 'a replica takes over in agreement',
      async run({ nowMs }) {
        const { owner } = await usedSlot()
        const [replica] = await cluster.replicasOf(owner)
        Object.assign(agreed, { fromMs: nowMs(), untilMs: Number.POSITIVE_INFINITY })
        if (replica) await cluster.failover(replica)
        await cluster.settle()
        agreed.untilMs = nowMs()
      },
    },
  ]
  const rough: Trouble[] = [
    {
      what: 'a primary stands still, for less than the node timeout',
      async run({ forMs, sleep }) {
        const { owner } = await usedSlot()
        await owner.kill('SIGSTOP')
        await sleep(Math.min(forMs, NODE_TIMEOUT_MS / 2))
        await owner.kill('SIGCONT')
      },
    },
    {
      what: 'a primary is killed, and a replica takes over',
      async run({ sleep }) {
        const { slot, owner } = await usedSlot()
        await owner.kill('SIGKILL')
        for (let tries = 0; (await cluster.ownerOf(slot)) === owner && tries < 600; tries++) await sleep(100)
        await owner.restart()
        await cluster.settle()
      },
    },
  ]
  const nodes = cluster.urls.slice(0, 3)
  return {
    name: 'cluster',
    staleMs: 1_000 + NODE_TIMEOUT_MS + 1_000,
    open: () => redisStore({ nodes, ...(isGentle && { deadline: '20s' }) }),
    troubles: isGentle ? gentle : [...gentle, ...rough],
    replicas: {
      watch: (nowMs, lost) =>
        watchRoles(
          cluster.urls,
          nowMs,
          lost,
          (fromMs, untilMs) => fromMs <= agreed.untilMs && agreed.fromMs <= untilMs,
        ),
      settle: cluster.settle,
    },
  }
}

const MAX_LAG_S = 2

/** A primary with replicas behind sentinels, and how old an answer may be there. */
export async function startGroup(cleanUp: Context['cleanUp']) {
  const args = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', String(MAX_LAG_S)]
  const group = await startRedisSentinels({ downAfterMs: 2_000, requirepass: 'data', args })
  cleanUp(() => group.stop())
  return { group, boundMs: MAX_LAG_S * 1_000 + 2_000 }
}

export async function onSentinels({ cleanUp }: Context): Promise<Place> {
  const { group, boundMs } = await startGroup(cleanUp)
  const nodes = group.sentinels.map(({ url }) => url)
  return {
    name: 'sentinels',
    staleMs: boundMs,
    open: () => redisStore({ sentinels: { name: group.name, nodes, password: 'data' } }),
    troubles: [
      {
        what: 'the sentinels are asked for another primary',
        async run() {
          await group.failover()
          await group.settle()
        },
      },
      {
        what: 'the primary is killed, and a replica takes over',
        async run({ sleep }) {
          const primary = await group.primary()
          await primary.kill('SIGKILL')
          for (let tries = 0; (await group.primary()) === primary && tries < 600; tries++) await sleep(100)
          await primary.restart()
          await group.settle()
        },
      },
      {
        what: 'the primary stands still for a moment',
        async run({ forMs, sleep }) {
          const primary = await group.primary()
          await primary.kill('SIGSTOP')
          await sleep(Math.min(forMs, 1_000))
          await primary.kill('SIGCONT')
          // On a busy machine it may have been long enough for the sentinels to choose another one.
          await sleep(500)
          await group.settle()
        },
      },
    ],
    replicas: {
      watch: (nowMs, lost) =>
        watchRoles(
          group.nodes.map(({ url }) => url),
          nowMs,
          lost,
        ),
      settle: group.settle,
    },
  }
}
