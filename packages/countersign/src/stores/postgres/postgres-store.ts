import type { Store } from '../contract.ts'
import type { Connections } from './connections.ts'
import { PostgresExecutor, type Requests } from './executor.ts'
import { GivenPool } from './given-pool.ts'
import { type PostgresStoreOptions, type ResolvedPostgresOptions, resolvePostgresOptions } from './options.ts'
import { OwnPool } from './own-pool.ts'
import { postgresAccounts } from './postgres-accounts.ts'
import { postgresFeed } from './postgres-feed.ts'
import { PostgresLifecycle } from './postgres-lifecycle.ts'
import { postgresOnce } from './postgres-once.ts'
import { postgresRevocations } from './postgres-revocations.ts'
import { postgresSessions } from './postgres-sessions.ts'
import { statementsFor } from './statements.ts'

/**
 * A store in one PostgreSQL database, shared by any number of processes. `docs/storage-schema.md` has every table.
 *
 * Connects in `lifecycle.ready`, by the package `pg`, which the application installs. One statement, one round trip and
 * one transaction per method. A write has reached the disk when it is acknowledged (`fsynced`), except that the last
 * touches may be lost in a crash; with `fsync` or `full_page_writes` off it is `local`. Every call ends within
 * `deadline`: with an answer, with `ERR_STORE_UNAVAILABLE` or `ERR_STORE_TIMEOUT` (and `retryable` when nothing was
 * executed), or with one of the two without it, after which a write may or may not have happened.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option.
 */
export function postgresStore(options: PostgresStoreOptions): Store {
  const resolved = resolvePostgresOptions(options)
  const { deadlineMs, prepared, pool, runtime, schema } = resolved
  const sql = statementsFor(schema)
  const transport: PostgresExecutor = new PostgresExecutor(
    connectionsOf(resolved, () => transport.lost()),
    deadlineMs,
    prepared,
    runtime,
  )
  const ownWarnings = pool
    ? [
        'the pool was given: how many connections there are and when one is given up depends on its settings (promise 6)',
      ]
    : []
  const lifecycle = new PostgresLifecycle(transport, sql, resolved, ownWarnings)
  const executor: Requests = {
    async run(statement, values, tag) {
      lifecycle.guard()
      return transport.run(statement, values, tag)
    },
  }
  const context = { executor, sql, durability: () => lifecycle.durability() }
  const sessions = postgresSessions(context)
  const revocations = postgresRevocations(context)
  const changes = (snapshot: string | null) => lifecycle.changes(snapshot)
  return {
    sessions: {
      ...sessions,
      changes: postgresFeed({
        sessions,
        revocations,
        changes,
        onLost: (listener) => transport.onLost(listener),
        runtime,
      }),
      floor: () => lifecycle.floor(),
      raiseFloor: async (why, nowMs) => {
        lifecycle.guard()
        return lifecycle.raiseFloor(why, nowMs)
      },
    },
    revocations,
    accounts: postgresAccounts(context),
    once: postgresOnce(context),
    lifecycle: {
      name: lifecycle.name,
      ready: (placement) => lifecycle.ready(placement),
      health: () => lifecycle.health(),
      nowMs: () => lifecycle.nowMs(),
      close: () => lifecycle.close(),
    },
  }
}

function connectionsOf(options: ResolvedPostgresOptions, onLost: () => void): Connections {
  const { connection, deadlineMs, pool, poolSize, prepared, runtime } = options
  if (pool) return new GivenPool(pool)
  const config = {
    ...connection,
    application_name: 'countersign',
    keepAlive: true,
    // The second line: the server gives up a little before we do, so that the outcome is known and the connection stays.
    ...(prepared && { statement_timeout: Math.floor(deadlineMs * 0.9) }),
  }
  return new OwnPool(config, poolSize, runtime, onLost)
}
