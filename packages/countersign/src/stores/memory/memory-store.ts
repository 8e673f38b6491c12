import { toBase64url } from '../../internal/bytes.ts'
import { CountersignError } from '../../internal/errors.ts'
import { forwardNow } from '../../internal/forward-now.ts'
import { type Runtime, systemRuntime } from '../../internal/runtime.ts'
import type { Floor, Store } from '../contract.ts'
import { type Section, stepStore } from '../steps/step-store.ts'
import { memoryAccounts } from './memory-accounts.ts'
import { MemoryFeed } from './memory-feed.ts'
import { memoryOnce } from './memory-once.ts'
import { MemoryShard } from './memory-shard.ts'

export interface MemoryStoreOptions {
  /** Clock and random source. Default: the platform's. */
  readonly runtime?: Runtime
}

/** Most subjects that one sweep looks at, so that it does not hold up requests: well under 10 ms. */
const SWEEP_SUBJECTS = 10_000

/**
 * A store in the memory of one process: for tests, and the reference for what every other store does. Everything is
 * gone when the process ends, and a second process sees nothing of it.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const { clock, random } = options.runtime ?? systemRuntime
  const shards = new Map<string, MemoryShard>()
  let cursor: IterableIterator<[string, MemoryShard]> | undefined
  let floor: Floor = { notBeforeMs: 0, why: 'admin', marker: toBase64url(random(12)) }
  let placementKept: string | undefined
  let closed = false
  const nowMs = forwardNow(clock)

  const open = () => {
    if (closed) throw new CountersignError('ERR_CLOSED', 'the memory store is closed', { store: 'memory' })
  }
  const { once, ...kept } = memoryOnce(open)
  const shardOf = (tag: string): MemoryShard => {
    open()
    return shards.get(tag) ?? new MemoryShard(feed.changesOf(tag))
  }
  const section: Section = {
    durability: 'local',
    async write(tag, step) {
      const shard = shardOf(tag)
      const done = step(shard)
      shards.set(tag, shard)
      return done
    },
    read: async (tag, step) => step(shardOf(tag)),
  }

  const { sessions, revocations } = stepStore(section, {
    async floor() {
      open()
      return floor
    },
    async raiseFloor(why, nowMs) {
      open()
      if (nowMs > floor.notBeforeMs) floor = { ...floor, notBeforeMs: nowMs, why }
      return { notBeforeMs: floor.notBeforeMs, durability: 'local' }
    },
    /** Goes on with the subject after the last one, at most {@link SWEEP_SUBJECTS} per call and nobody twice for nothing. */
    async sweep(nowMs, limit) {
      open()
      let gone = kept.sweep(nowMs, limit)
      let restarts = 0
      for (let looked = 0; gone < limit && looked < SWEEP_SUBJECTS; looked++) {
        cursor ??= shards.entries()
        const step = cursor.next()
        if (step.done) {
          cursor = undefined
          if (++restarts > 1) break
          continue
        }
        const [tag, shard] = step.value
        const swept = shard.sweep(nowMs, limit - gone)
        gone += swept.gone
        if (swept.empty) shards.delete(tag)
      }
      return gone
    },
  })

  const feed = new MemoryFeed({ sessions, revocations })
  return {
    sessions: { ...sessions, changes: feed },
    revocations,
    accounts: memoryAccounts(open),
    once,
    lifecycle: {
      name: 'memory',
      async ready(placement) {
        open()
        placementKept ??= placement
        if (placementKept === placement) return
        throw new CountersignError('ERR_STORE_MISCONFIGURED', 'this store was made with another placement key', {
          store: 'memory',
        })
      },
      health: () => ({
        up: !closed,
        keepsAll: true,
        warnings: ['sessions live in the memory of this process and end with it'],
      }),
      nowMs,
      async close() {
        closed = true
        feed.end()
        shards.clear()
        kept.clear()
      },
    },
  }
}
