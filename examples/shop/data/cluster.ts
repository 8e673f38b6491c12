// The application's own data in the Redis Cluster: scripts of one slot each, and an answer that says how safe a write is.
import { readFileSync } from 'node:fs'
import { Cluster } from 'ioredis'

/** In the words of Countersign: on another machine as well, or on one only. */
export type Durability = 'replicated' | 'local'
export interface Written<T> {
  readonly value: T
  readonly durability: Durability
  readonly replicas: number
}

/** No answer in time, or the connection broke: the write may or may not have happened. Repeat it under the same name. */
export class OutcomeUnknown extends Error {
  readonly statusCode = 503
  readonly code = 'outcome_unknown'
}

const DEADLINE_MS = 2_500
const REPLICAS = 1

export type ScriptName = 'cart-change' | 'merge-mark' | 'merge-apply' | 'merge-bury' | 'order-place'
const scripts = new Map<ScriptName, string>()
function textOf(name: ScriptName): string {
  const text = scripts.get(name) ?? readFileSync(new URL(`${name}.lua`, import.meta.url), 'utf8')
  scripts.set(name, text)
  return text
}

export type ShopCluster = ReturnType<typeof openCluster>

/**
 * @param nodes - URLs of some of the nodes.
 * @param replicasWithinMs - How long a write waits for a replica. Less than the deadline.
 */
export function openCluster(nodes: readonly string[], replicasWithinMs: number = 500) {
  const startup = nodes.map((url) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) }))
  const cluster = new Cluster(startup, {
    // A primary may be gone: ask again who has the slot, rather than wait for it.
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 100,
    slotsRefreshTimeout: 1_000,
    clusterRetryStrategy: (times) => Math.min(50 * times, 500),
    redisOptions: { connectTimeout: 1_000 },
  })
  // Each call says itself what went wrong.
  cluster.on('error', () => undefined)

  return {
    cluster,
    /** Runs a script, and waits for a replica that has what it wrote. All keys have one hash tag. */
    async write<T>(name: ScriptName, keys: readonly string[], args: readonly (string | number)[]): Promise<Written<T>> {
      // One pipeline is one connection, and `WAIT` is about what that connection has written.
      const pipeline = cluster.pipeline().eval(textOf(name), keys.length, ...keys, ...args)
      const done = await inTime(pipeline.call('WAIT', REPLICAS, replicasWithinMs).exec())
      const [[failure, value], [, replicas]] = done as [[Error | null, T], [Error | null, number]]
      if (failure) throw new OutcomeUnknown('the cluster did not answer', { cause: failure })
      return { value, replicas: replicas ?? 0, durability: replicas >= REPLICAS ? 'replicated' : 'local' }
    },
    /** Asks. No answer is a fault as well, but nothing has happened. */
    ask: <T>(work: Promise<T>): Promise<T> => inTime(work),
    close: () => cluster.disconnect(),
  }
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OutcomeUnknown('the cluster did not answer in time')), DEADLINE_MS)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw error instanceof OutcomeUnknown ? error : new OutcomeUnknown('the cluster did not answer', { cause: error })
  } finally {
    clearTimeout(timer)
  }
}
