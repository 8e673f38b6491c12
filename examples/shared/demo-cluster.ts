// A Redis Cluster for an example that was started without one: three primaries with a replica each, on free ports, gone with
// the process however that ends.
import { type RedisCluster, startRedisCluster } from '../../tools/test-support/redis-cluster.ts'

export interface DemoCluster {
  /** URLs of its nodes. */
  readonly nodes: readonly string[]
  /** Absent where the cluster is somebody else's. */
  readonly own?: RedisCluster
  stop(): Promise<void>
}

/** @param given - URLs of nodes, separated by commas: then nothing is started. */
export async function demoCluster(given?: string): Promise<DemoCluster> {
  if (given) return { nodes: given.split(','), stop: async () => {} }
  // A dead primary is replaced after 2 s, so that one can watch it.
  const own = await startRedisCluster({ nodeTimeoutMs: 2_000, appendonly: true })
  return { nodes: own.urls, own, stop: () => own.stop() }
}
