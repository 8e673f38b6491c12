// The stores that the rows work on: started when a row needs them, gone with the lab.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd } from '../../bench/harness/ending.ts'
import { isInstalled } from '../../tools/servers.ts'
import { findBinaries, type PostgresServer, startPostgres } from '../../tools/test-support/postgres-server.ts'
import { type RedisCluster, startRedisCluster } from '../../tools/test-support/redis-cluster.ts'
import { type RedisServer, startRedis } from '../../tools/test-support/redis-server.ts'
import type { Row } from '../rows.ts'
import type { StoreAt } from '../sides/told.ts'

/** What a server must have to keep what it acknowledges, so that a kill loses nothing. */
const KEEPS = { appendonly: true, appendfsync: 'always', policy: 'noeviction' } as const
export const NODE_TIMEOUT_MS = 2_000

/** Why a store is not available here, if it is not. */
export function missing(store: Row['store']): string | undefined {
  if (store === 'redis' || store === 'redis-cluster') return missingProgram('redis-server')
  if (store !== 'postgres') return undefined
  try {
    findBinaries()
    return undefined
  } catch {
    return 'PostgreSQL is not installed'
  }
}
export const missingProgram = (program: string): string | undefined =>
  isInstalled(program) ? undefined : `${program} is not installed`

/** Started by the first who asks, and ended with the lab. A start that failed is tried again by the next. */
function kept<T extends { stop(): Promise<unknown> }>(start: () => Promise<T>): () => Promise<T> {
  let starting: Promise<T> | undefined
  return () => {
    starting ??= start().then(
      (server) => {
        atEnd(() => server.stop())
        return server
      },
      (error) => {
        starting = undefined
        throw error
      },
    )
    return starting
  }
}

export class Places {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'countersign-lab-'))
  readonly redis: () => Promise<RedisServer> = kept(() => startRedis(KEEPS))
  readonly cluster: () => Promise<RedisCluster> = kept(() =>
    startRedisCluster({ appendonly: true, appendfsync: 'always', nodeTimeoutMs: NODE_TIMEOUT_MS }),
  )
  readonly postgres: () => Promise<PostgresServer> = kept(() => startPostgres())

  constructor() {
    atEnd(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  /** Where the servers of a row find their data. */
  async at(store: Row['store'], prefix: string): Promise<StoreAt> {
    switch (store) {
      case 'none':
      case 'memory':
        return { kind: 'memory', urls: [] }
      case 'sqlite':
        return { kind: store, urls: [join(this.folder, `${prefix}.db`)] }
      case 'redis':
        return { kind: store, urls: [(await this.redis()).url] }
      case 'redis-cluster':
        return { kind: store, urls: (await this.cluster()).urls }
      case 'postgres':
        return { kind: store, urls: [(await this.postgres()).url] }
    }
  }
}
