// What the tests of the Redis store on a cluster and behind sentinels share.
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'
import { type RedisStoreOptions, redisStore } from 'countersign/stores/redis'

export const { createRule, endedBy, endRule, HOUR, listed, MINUTE, recordOf, refresh, subjectRef } = samples

export type Cleanup = (undo: () => unknown) => void

/** A ready store that is closed in the end. */
export async function readyStore(options: RedisStoreOptions, cleanUp: Cleanup): Promise<Store> {
  const store = redisStore(options)
  cleanUp(() => store.lifecycle.close())
  await store.lifecycle.ready('topologies')
  return store
}

export interface Outcomes {
  /** By the name of the call. */
  readonly done: Readonly<Record<string, number>>
  readonly faults: readonly Fault[]
}
export interface Fault {
  readonly call: string
  readonly code: string
  readonly retryable: boolean
  readonly message: string
  readonly tookMs: number
}

/** Does what a busy application does with the sessions of one subject, until it is told to stop: reads, and every script. */
export function loadOn(store: Store, ref = subjectRef()): { readonly ref: typeof ref; stop(): Promise<Outcomes> } {
  const done: Record<string, number> = {}
  const faults: Fault[] = []
  let isOver = false
  const call = async <T>(name: string, make: () => Promise<T>): Promise<T | undefined> => {
    const startedMs = performance.now()
    try {
      const result = await make()
      done[name] = (done[name] ?? 0) + 1
      return result
    } catch (error) {
      const { code = 'none', retryable = false, message } = error as Error & { code?: string; retryable?: boolean }
      faults.push({ call: name, code, retryable, message, tookMs: performance.now() - startedMs })
      return undefined
    }
  }
  const { sessions } = store
  const rule = { ...createRule, limit: { max: 5, overflow: 'evict_oldest' as const } }
  const use = async () => {
    while (!isOver) {
      const nowMs = store.lifecycle.nowMs()
      const record = recordOf(ref, { createdAtMs: nowMs, refreshAtMs: nowMs + HOUR, stamped: true })
      await call('create', () => sessions.create(record, rule, nowMs))
      for (let n = 0; n < 5; n++) await call('read', () => sessions.read(record.id))
      await call('touch', () => sessions.touch(record.id, { idleAtMs: nowMs + HOUR }, nowMs))
      await call('update', () => sessions.update(record.id, { data: '1' }, 1, nowMs))
      await call('rotate', () => refresh(store, record.id, 0, nowMs + MINUTE))
      await call('list', () => sessions.list(ref, null, { limit: 10, floorMs: 0 }, nowMs))
      await call('subject', () => sessions.subject(ref, nowMs))
      await call('setRoles', () => sessions.setRoles(ref, ['user', 'admin'], nowMs))
      await call('revocations', () => store.revocations.read(ref.tag))
      await call('end', () => sessions.end(record.id, 'logout', endRule, nowMs))
      await call('floor', () => sessions.floor())
    }
  }
  const loops = [use(), use()]
  return {
    ref,
    async stop() {
      isOver = true
      await Promise.all(loops)
      return { done, faults }
    },
  }
}
