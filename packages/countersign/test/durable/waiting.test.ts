// What waits for the store is refused by this process whatever a read says, in the orders of events in which it once was
// not. Found by the simulator.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { samples } from '../../src/conformance/index.ts'
import { guardChanges, guardRevocations, guardSessions } from '../../src/durable/guarded-store.ts'
import { type Operation, perform } from '../../src/durable/operations.ts'
import { Queue } from '../../src/durable/queue.ts'
import { CountersignError } from '../../src/internal/errors.ts'
import { systemRuntime } from '../../src/internal/runtime.ts'
import type { SessionRecord } from '../../src/session/record.ts'
import type { Store } from '../../src/stores/contract.ts'
import { memoryStore } from '../../src/stores/memory/memory-store.ts'

const { createRule, recordOf, subjectRef } = samples
const ref = subjectRef()
const FAR_MS = 4_000_000_000_000

let store: Store
let queue: Queue
let isAway: boolean
let record: SessionRecord
beforeEach(async () => {
  store = memoryStore()
  await store.lifecycle.ready('waiting')
  isAway = true
  queue = new Queue(systemRuntime, async ({ operation }) => {
    if (isAway) throw new CountersignError('ERR_STORE_UNAVAILABLE', 'away', { store: 'test', retryable: true })
    await perform(store, operation, store.lifecycle.nowMs(), FAR_MS)
    return async () => {}
  })
  const nowMs = store.lifecycle.nowMs()
  const times = { createdAtMs: nowMs, lastSeenAtMs: nowMs, idleAtMs: FAR_MS, absoluteAtMs: FAR_MS }
  record = recordOf(ref, { ...times, stamped: true, roles: ['admin', 'user'] })
  expect((await store.sessions.create(record, { ...createRule, accessMs: 60_000 }, nowMs)).is).toBe('created')
})
afterEach(async () => {
  await queue.close(0)
  await store.lifecycle.close()
})

const wait = (operation: Operation, atMs = store.lifecycle.nowMs()) =>
  queue.add({ number: 1, atMs, operation, context: undefined })
const everything = (): Operation => ({ is: 'subject', subject: ref, why: 'admin', rule: {} }) as Operation
const fewerRoles = (): Operation => ({ is: 'roles', subject: ref, roles: ['user'] })

/** The store takes what waits now. */
async function goThrough(): Promise<void> {
  isAway = false
  await queue.settle(ref.tag)
  expect(queue.size).toBe(0)
}

/** The store as one executes reads at once and answers them when `answer` is called. */
function late() {
  const held: (() => void)[] = []
  const slow =
    <A extends readonly unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A) => {
      const found = await call(...args)
      await new Promise<void>((resolve) => held.push(resolve))
      return found
    }
  const sessions = { ...store.sessions, read: slow(store.sessions.read), list: slow(store.sessions.list) }
  const revocations = { ...store.revocations, read: slow(store.revocations.read) }
  const feed = guardChanges(
    {
      mode: 'push',
      open: () => ({
        read: async (id) => ({ found: await sessions.read(id) }),
        readRevocations: async (tag) => ({ found: await revocations.read(tag) }),
        status: () => ({ lines: [], warnings: [] }),
        close: async () => {},
      }),
    },
    queue,
  ).open({} as never, systemRuntime.clock)
  return {
    sessions: guardSessions(sessions, queue, async () => {}),
    revocations: guardRevocations(revocations, queue),
    feed,
    async answer() {
      while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
      for (const resolve of held.splice(0)) resolve()
    },
  }
}

const rolesOf = (found: { is: string; record?: SessionRecord }) => found.record?.roles
const notBeforeOf = (found: { is: string; notBefore?: number }) => found.notBefore

describe('a read that is executed before what waits goes through, and answered after it, does not show the old state', () => {
  test.each<[string, () => Operation, (guarded: ReturnType<typeof late>) => Promise<unknown>, unknown]>([
    ['a record', fewerRoles, async ({ sessions }) => rolesOf(await sessions.read(record.id)), ['user']],
    ['a record to be kept', fewerRoles, async ({ feed }) => rolesOf((await feed.read(record.id)).found), ['user']],
    [
      'the sessions of a subject',
      everything,
      async ({ sessions }) => (await sessions.list(ref, null, { limit: 10, floorMs: 0 }, 0)).items,
      [],
    ],
    [
      'what is revoked',
      everything,
      async ({ revocations }) => notBeforeOf(await revocations.read(ref.tag)),
      Number.MAX_SAFE_INTEGER,
    ],
    [
      'what is revoked, to be kept',
      everything,
      async ({ feed }) => notBeforeOf((await feed.readRevocations(ref.tag)).found),
      Number.MAX_SAFE_INTEGER,
    ],
  ])('%s', async (_what, operation, read, shown) => {
    const guarded = late()
    wait(operation())
    const reading = read(guarded)
    await new Promise((resolve) => setImmediate(resolve))
    await goThrough()
    await guarded.answer()
    expect(await reading).toEqual(shown)
  })
})

describe('a session of a subject that waits to be ended is refused, whenever this process thinks that it was opened', () => {
  // After a suspension, and without the store, it does not know what time it is.
  test.each([
    ['as the clocks say', 0],
    ['by a clock that is an hour slow', -3_600_000],
  ])('%s', async (_what, offMs) => {
    const sessions = guardSessions(store.sessions, queue, async () => {})
    wait(everything(), record.createdAtMs + offMs)
    expect(await sessions.read(record.id)).toMatchObject({ is: 'ended', tombstone: { why: 'admin' } })
  })

  test('and so are its tokens, and the roles that are taken away', async () => {
    const revoked = guardRevocations(store.revocations, queue)
    const sessions = guardSessions(store.sessions, queue, async () => {})
    wait(fewerRoles(), record.createdAtMs - 3_600_000)
    expect(rolesOf(await sessions.read(record.id))).toEqual(['user'])
    expect(notBeforeOf(await revoked.read(ref.tag))).toBe(Number.MAX_SAFE_INTEGER)
  })
})
