import type { Store } from '../contract.ts'
import type { Executor, Requests } from './executor.ts'
import { keysWith } from './keys.ts'
import { createNodeRedis } from './node-redis.ts'
import { NodeRedisExecutor } from './node-redis-executor.ts'
import { type RedisStoreOptions, resolveRedisOptions } from './options.ts'
import { redisAccounts } from './redis-accounts.ts'
import { redisFailovers } from './redis-failovers.ts'
import { RedisLifecycle } from './redis-lifecycle.ts'
import { redisOnce } from './redis-once.ts'
import { redisRevocations } from './redis-revocations.ts'
import { type RedisContext, redisSessions } from './redis-sessions.ts'

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
    create: async (silenceMs) => client ?? createNodeRedis(url!, runtime.random, silenceMs),
    owned: client === undefined,
    deadlineMs,
    runtime,
    host,
  })
  const ownWarnings = client
    ? [
        'the Redis client was given: how soon it notices a dead connection depends on its settings (promise 6), and replicas are not waited for',
      ]
    : []
  const lifecycle = new RedisLifecycle(transport, keys, resolved, ownWarnings)
  const executor = guarded(transport, () => lifecycle.guard())
  const context: RedisContext = {
    executor,
    keys,
    written: (primary) => lifecycle.written(primary),
    confirmed: (tag, primary) => lifecycle.confirmed(tag, primary),
  }
  const floor = async () => {
    lifecycle.guard()
    return lifecycle.floor()
  }
  return {
    sessions: {
      ...redisSessions(context),
      floor,
      failovers: redisFailovers(context, {
        incarnationOf: () => lifecycle.incarnation(),
        onChange: (listener) => lifecycle.onChange(listener),
        look: async () => {
          lifecycle.guard()
          await lifecycle.look()
        },
      }),
      raiseFloor: async (why, nowMs) => {
        lifecycle.guard()
        return lifecycle.raiseFloor(why, nowMs)
      },
    },
    revocations: redisRevocations(context),
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
