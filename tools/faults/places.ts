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
import { command } from '../test-support/redis-command.ts'
import { startRedis } from '../test-support/redis-server.ts'
import { startRespProxy } from '../test-support/resp-proxy.ts'
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
  /** The store comes back without all that it had acknowledged. */
  loss(): void
}

export interface Place {
  readonly name: string
  /** How old an answer from a copy may be. */
  readonly staleMs: number
  /** A store for a process of its own. */
  open(node: number): Store
  readonly troubles: readonly Trouble[]
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
