import { CountersignError } from '../../internal/errors.ts'
import type { Moment, Runtime } from '../../internal/runtime.ts'
import type { Executor, Primary } from './executor.ts'
import type { Keys } from './keys.ts'
import { nodeRedisErrors, TRACKED, type TrackedClient } from './node-redis.ts'
import type { OpenPrimaries } from './redis-feed.ts'
import type { RedisLifecycle } from './redis-lifecycle.ts'
import { scripts } from './scripts.generated.ts'
import type { Deployment } from './server-check.ts'
import type { LineRequests } from './tracked-line.ts'
import { TrackedPrimary } from './tracked-primary.ts'

export interface TrackedPrimariesParts {
  readonly transport: Executor
  readonly lifecycle: Pick<RedisLifecycle, 'fence' | 'staleForMs'>
  readonly deployment: Deployment
  readonly keys: Keys
  readonly runtime: Runtime
}

interface Known {
  readonly tracked: TrackedPrimary
  /** Read last over its lines. */
  key: string
  wasUp: boolean
}

const NO_BOUND = 'the settings of the servers allow no bound for a revocation'
const ANOTHER_STORE = 'this is not the store that requests go to'

/**
 * A tracked line to each primary there is, opened when it is used. What a fence has to prove depends on the deployment
 * (`docs/design/0005-near-cache.md`):
 *
 * - single server: that it is the store, by the marker beside the floor;
 * - cluster: that the server still answers for the slot of a key that was read over the line, which one that was cut off
 *   stops doing after `cluster-node-timeout`; and on the line of the floor that it is the store;
 * - sentinels: that it accepts writes, which one that was replaced stops doing after `min-replicas-max-lag`.
 */
export function trackedPrimaries(parts: TrackedPrimariesParts): OpenPrimaries {
  const { transport, lifecycle, deployment, keys, runtime } = parts
  return (owner, listener, clock) => {
    const known = new Map<Primary, Known>()

    const prove = async (primary: Primary, requests: LineRequests, asked: Moment): Promise<string | undefined> => {
      if (lifecycle.staleForMs() === null) return NO_BOUND
      if (deployment === 'sentinel') await requests.run(scripts.passFence, [], [])
      if (transport.primaryOf(keys.floor) !== primary) {
        // Any read of a key will do: a server that is not in charge of it, or is cut off, refuses.
        await requests.send(['EXISTS', known.get(primary)?.key ?? keys.floor])
        return undefined
      }
      const floor = await lifecycle.fence(requests)
      if (!floor) return ANOTHER_STORE
      listener.floorRead(floor, asked)
      return undefined
    }

    const entry = (primary: Primary, key: string): Known => {
      const old = known.get(primary)
      if (old) return old
      const tracked = new TrackedPrimary({
        name: primary.id,
        connect: async () => ({
          client: (await primary.open!(TRACKED)) as TrackedClient,
          errors: await nodeRedisErrors(),
        }),
        fence: (requests, asked) =>
          prove(primary, requests, asked).catch((error: unknown) => {
            // In a cluster a server sends away whoever asks for a key that has moved; another key may still be there.
            if (deployment === 'cluster' && isRefusal(error)) return error.message
            throw error
          }),
        owner,
        runtime,
        clock,
        uses: () => listener.uses(),
      })
      const made = { tracked, key, wasUp: true }
      known.set(primary, made)
      return made
    }

    // Writes of other processes may go to another server from now on, as after a change of a DNS name.
    transport.onConnection((is, primary) => {
      const entry = known.get(primary)
      if (!entry) return
      if (is === 'down' && entry.wasUp) entry.tracked.renew()
      entry.wasUp = is === 'up'
    })
    // A key that a server gave away may change elsewhere without a word on its line.
    transport.onTopology(() => {
      const primaries = transport.primaries()
      for (const [primary, { tracked }] of known) {
        if (primaries.includes(primary)) tracked.renew()
        else {
          known.delete(primary)
          void tracked.close()
        }
      }
    })

    return {
      of(key) {
        const primary = transport.primaryOf(key)
        if (!primary) return undefined
        const ofFloor = transport.primaryOf(keys.floor)
        // Copies need the floor, and its line brings it.
        if (ofFloor && ofFloor !== primary) entry(ofFloor, keys.floor).tracked.use()
        const found = entry(primary, key)
        found.key = key
        return found.tracked
      },
      all: () => [...known.values()].map(({ tracked }) => tracked),
    }
  }
}

function isRefusal(error: unknown): error is CountersignError {
  return error instanceof CountersignError && error.code === 'ERR_STORE_MISCONFIGURED'
}
