import type { Store } from '../contract.ts'
import type { Executor, Requests } from './executor.ts'
import { keysWith } from './keys.ts'
import { createNodeRedis, createTrackedNodeRedis, nodeRedisErrors } from './node-redis.ts'
import { NodeRedisExecutor } from './node-redis-executor.ts'
import { type RedisStoreOptions, type ResolvedRedisOptions, resolveRedisOptions } from './options.ts'
import { redisAccounts } from './redis-accounts.ts'
import { type OpenPrimaries, redisFeed } from './redis-feed.ts'
import { RedisLifecycle } from './redis-lifecycle.ts'
import { redisOnce } from './redis-once.ts'
import { redisRevocations } from './redis-revocations.ts'
import { redisSessions } from './redis-sessions.ts'
import { TrackedPrimary } from './tracked-primary.ts'

/**
 * A store on one Redis or Valkey server, shared by any number of processes. `docs/storage-schema.md` has every key.
 *
 * Connects in `lifecycle.ready`, by the package `redis`, which the application installs. One request per method. Every
 * call ends within `deadline`: with an answer, with `ERR_STORE_UNAVAILABLE` (and `retryable` when nothing was
 * executed), or with `ERR_STORE_TIMEOUT`, after which a write may or may not have happened.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option.
 */
export function redisStore(options: RedisStoreOptions): Store {
  const resolved = resolveRedisOptions(options)
  const { url, client, host, prefix, deadlineMs, runtime } = resolved
  const keys = keysWith(prefix)
  const transport = new NodeRedisExecutor({
    create: async () => client ?? createNodeRedis(url!, runtime.random),
    owned: client === undefined,
    deadlineMs,
    runtime,
    host,
  })
  const ownWarnings = client
    ? [
        ...(url === undefined ? [NO_NEAR_CACHE] : []),
        'the Redis client was given: how soon it notices a dead connection depends on its settings (promise 6)',
      ]
    : []
  const lifecycle = new RedisLifecycle(transport, keys, resolved, ownWarnings)
  const executor = guarded(transport, () => lifecycle.guard())
  const context = { executor, keys, durability: () => lifecycle.durability() }
  const sessions = redisSessions(context)
  const revocations = redisRevocations(context)
  const changes =
    url === undefined
      ? undefined
      : redisFeed({
          open: singleServer(url, transport, lifecycle, resolved),
          keys,
          runtime,
          deadlineMs,
          read: sessions.read,
          readRevocations: revocations.read,
          guard: () => lifecycle.guard(),
        })
  return {
    sessions: {
      ...sessions,
      ...(changes && { changes }),
      floor: async () => {
        lifecycle.guard()
        return lifecycle.floor()
      },
      raiseFloor: async (why, nowMs) => {
        lifecycle.guard()
        return lifecycle.raiseFloor(why, nowMs)
      },
    },
    revocations,
    accounts: redisAccounts({ executor, keys, clock: runtime.clock }),
    once: redisOnce(context),
    lifecycle: {
      name: lifecycle.name,
      ready: (placement) => lifecycle.ready(placement),
      health: () => lifecycle.health(),
      nowMs: () => lifecycle.nowMs(),
      close: () => lifecycle.close(),
    },
  }
}

const NO_NEAR_CACHE =
  'the near cache is off: it needs a connection of its own, and "url" was not given with the client (promise 8)'

/** The one server, whose fence is the reading of the floor. */
function singleServer(
  url: string,
  transport: Executor,
  lifecycle: RedisLifecycle,
  { host, runtime }: ResolvedRedisOptions,
): OpenPrimaries {
  return (owner, listener, clock) => {
    const primary = new TrackedPrimary({
      name: host,
      connect: async () => ({ client: await createTrackedNodeRedis(url), errors: await nodeRedisErrors() }),
      async fence(requests, asked) {
        const floor = await lifecycle.fence(requests)
        if (floor) listener.floorRead(floor, asked)
        return floor !== undefined
      },
      owner,
      runtime,
      clock,
      uses: () => listener.uses(),
    })
    // Writes of other processes may go to another server from now on, as after a change of a DNS name.
    let was = 'up'
    transport.onConnection((is) => {
      if (is === 'down' && was === 'up') primary.renew()
      was = is
    })
    return { of: () => primary, all: () => [primary] }
  }
}

/** The executor, as long as the server behind it is the one that the store belongs to. */
function guarded(executor: Executor, guard: () => void): Requests {
  return {
    run(script, keys, args) {
      guard()
      return executor.run(script, keys, args)
    },
    get(key) {
      guard()
      return executor.get(key)
    },
    send(key, command) {
      guard()
      return executor.send(key, command)
    },
  }
}
