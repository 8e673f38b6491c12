import { ClusterTopology } from './cluster-topology.ts'
import { addressOf, type Endpoint } from './endpoint.ts'
import type { Executor } from './executor.ts'
import { checkIoredis } from './ioredis.ts'
import { ioredisTopology } from './ioredis-topology.ts'
import { createNodeRedis, type MoreOptions, SILENT_MS } from './node-redis.ts'
import { NodeRedisExecutor } from './node-redis-executor.ts'
import type { ResolvedRedisOptions } from './options.ts'
import { SentinelTopology } from './sentinel-topology.ts'
import type { Deployment } from './server-check.ts'
import { standaloneTopology } from './standalone-topology.ts'
import type { Topology } from './topology.ts'
import { WriteFence } from './write-fence.ts'

export interface Transport {
  readonly executor: Executor
  readonly deployment: Deployment
  /** Whether connections of our own can be made, on which a server tells of changes. */
  readonly canTrack: boolean
  /** What is weaker because of who makes the connections. */
  readonly warnings: readonly string[]
}

const GIVEN =
  'the Redis client was given: how soon it notices a dead connection depends on its settings (promise 6), and the near cache is off, because it needs a connection of its own (promise 8), and replicas are not waited for (promise 4)'

/** The executor for wherever the data is. */
export function transportTo(options: ResolvedRedisOptions): Transport {
  const { runtime, deadlineMs } = options
  const { deployment, topology, warnings = [] } = topologyOf(options)
  // Where a primary that was replaced goes on answering reads for ever.
  const fence = deployment === 'sentinel' ? new WriteFence(runtime) : undefined
  const executor = new NodeRedisExecutor({ topology, runtime, deadlineMs, ...(fence && { fence }) })
  const canTrack = options.target.kind !== 'node-redis' && options.target.kind !== 'ioredis'
  return { executor, deployment, canTrack, warnings }
}

function topologyOf({ target, nodeAddressMap, deadlineMs, runtime }: ResolvedRedisOptions): {
  readonly deployment: Deployment
  readonly topology: Topology
  readonly warnings?: readonly string[]
} {
  // Not below the deadline: a server, or this process, that stands still for a moment has its answers a moment later.
  const socketTimeout = Math.max(SILENT_MS, deadlineMs)
  const create = (endpoint: Endpoint, { socket, ...more }: MoreOptions = {}) =>
    createNodeRedis(endpoint, runtime.random, { ...more, socket: { socketTimeout, ...socket } })
  switch (target.kind) {
    case 'url': {
      const { endpoint } = target
      const connect = (more?: MoreOptions) => create(endpoint, more)
      return {
        deployment: 'single',
        topology: standaloneTopology({ id: addressOf(endpoint), create: connect, owned: true, runtime }),
      }
    }
    case 'nodes':
      return {
        deployment: 'cluster',
        topology: new ClusterTopology({ ...target, nodeAddressMap, create, deadlineMs, runtime }),
      }
    case 'sentinels':
      return {
        deployment: 'sentinel',
        topology: new SentinelTopology({ ...target, nodeAddressMap, create, runtime }),
      }
    case 'node-redis': {
      const { client } = target
      return {
        deployment: 'single',
        topology: standaloneTopology({ id: 'the client given', create: async () => client, owned: false, runtime }),
        warnings: [GIVEN],
      }
    }
    case 'ioredis': {
      const deployment = checkIoredis(target.client)
      return {
        deployment,
        topology: ioredisTopology(target.client, deployment !== 'single', runtime),
        warnings: [GIVEN],
      }
    }
  }
}
