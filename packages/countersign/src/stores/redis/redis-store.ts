import type { Store } from '../contract.ts'
import type { Executor, Requests } from './executor.ts'
import { keysWith } from './keys.ts'
import { type RedisStoreOptions, resolveRedisOptions } from './options.ts'
import { redisAccounts } from './redis-accounts.ts'
import { redisFailovers } from './redis-failovers.ts'
import { redisFeed } from './redis-feed.ts'
import { RedisLifecycle } from './redis-lifecycle.ts'
import { redisOnce } from './redis-once.ts'
import { redisRevocations } from './redis-revocations.ts'
import { type RedisContext, redisSessions } from './redis-sessions.ts'
import { trackedPrimaries } from './tracked-primaries.ts'
import { transportTo } from './transport.ts'

/**
 * A store on Redis or Valkey, shared by any number of processes: one server (`url`), a cluster (`nodes`), or a primary that
 * sentinels watch (`sentinels`). `docs/storage-schema.md` has every key, `docs/operations.md` the settings and bounds.
 *
 * Connects in `lifecycle.ready`, by the package `redis`, which the application installs, unless it gives a `client`. One
 * request per method, and one more where a slot of the cluster has just moved. Every
 * call ends within `deadline`: with an answer, with `ERR_STORE_UNAVAILABLE` (and `retryable` when nothing was
 * executed), or with `ERR_STORE_TIMEOUT`, after which a write may or may not have happened.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID` naming the option.
 */
export function redisStore(options: RedisStoreOptions): Store {
  const resolved = resolveRedisOptions(options)
  const { prefix, deadlineMs, runtime } = resolved
  const keys = keysWith(prefix)
  const { executor: transport, canTrack, ...facts } = transportTo(resolved)
  const lifecycle = new RedisLifecycle(transport, keys, resolved, facts)
  const executor = guarded(transport, () => lifecycle.guard())
  const context: RedisContext = {
    executor,
    keys,
    written: (writer) => lifecycle.written(writer),
    confirmed: (tag, writer) => lifecycle.confirmed(tag, writer),
  }
  const sessions = redisSessions(context)
  const revocations = redisRevocations(context)
  const changes = redisFeed({
    open: trackedPrimaries({ transport, lifecycle, deployment: facts.deployment, keys, runtime }),
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
      ...(canTrack && { changes }),
      floor: async () => {
        lifecycle.guard()
        return lifecycle.floor()
      },
      failovers: redisFailovers(context, {
        incarnationOf: (tag) => lifecycle.incarnationOf(tag),
        inChargeForMs: (tag) => lifecycle.inChargeForMs(tag),
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
    read(key, made) {
      // Whoever calls it makes no promise of its own, and no store throws before it has given one.
      try {
        guard()
      } catch (fault) {
        return Promise.reject(fault)
      }
      return executor.read(key, made)
    },
    send(key, command) {
      guard()
      return executor.send(key, command)
    },
  }
}
