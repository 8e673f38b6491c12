// The parts of durability that need no server: what is held and for how long, the queue's bound, and the epoch.
import { systemRuntime } from 'countersign'
import { describe, expect, test } from 'vitest'
import { ENDED_BY_OTHERS, Held } from '../../src/durable/held.ts'
import { Ledger, replay } from '../../src/durable/ledger.ts'
import type { Operation } from '../../src/durable/operations.ts'
import { Queue } from '../../src/durable/queue.ts'
import { CountersignError } from '../../src/internal/errors.ts'
import type { SessionId } from '../../src/session/ids.ts'
import { epochFor, epochOf } from '../../src/verbs/epoch.ts'

const [A, B] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb']
const id = (tag: string, n = 0) => `${tag}${String(n).padStart(22, '0')}` as SessionId
const KEEP = 120_000

describe('what is held', () => {
  test('is due when the primary is another one, and not while none is known', () => {
    const held = new Held()
    held.add({ tag: A, by: 'f00', atMs: 0, sessions: [[id(A), 'logout']] })
    expect(held.due(() => 'f00')).toEqual([])
    expect(held.due(() => undefined)).toEqual([])
    expect(held.due(() => 'f11')).toEqual([{ tag: A, by: 'f11', version: 1 }])
  })

  test('grows old only while the primary that has it is seen', () => {
    const held = new Held()
    held.add({ tag: A, by: 'f00', atMs: 0, sessions: [[id(A), 'logout']] })
    held.prune(KEEP - 1, KEEP, () => 'f00')
    // An outage of an hour, and another primary at its end.
    held.prune(3_600_000, KEEP, () => undefined)
    held.prune(3_600_000, KEEP, () => 'f11')
    expect(held.size).toBe(1)
    held.prune(KEEP, KEEP, () => 'f00')
    expect(held.size).toBe(0)
  })

  test('of a subject that is revoked again and again lets go of the old parts', () => {
    const held = new Held()
    for (let n = 0; n < 10; n++) held.add({ tag: A, by: 'f00', atMs: n * 60_000, sessions: [[id(A, n), 'logout']] })
    held.prune(600_000, KEEP, () => 'f00')
    expect([...held.lost(A, 0)!.sessions.keys()]).toEqual([id(A, 9)])
  })

  test('is not confirmed when something came meanwhile that the old primary may have had', () => {
    const held = new Held()
    held.add({ tag: A, by: 'f00', atMs: 0, sessions: [[id(A), 'logout']] })
    const [due] = held.due(() => 'f11')
    held.add({ tag: A, by: 'f00', atMs: 1, sessions: [[id(A, 1), 'logout']] })
    expect(held.confirm(due!)).toBe(false)
    const [again] = held.due(() => 'f11')
    expect(held.confirm(again!)).toBe(true)
    expect(held.due(() => 'f11')).toEqual([])
  })

  test('knows the newest roles and block, and the reason that this process gave', () => {
    const held = new Held()
    const others = [[id(A), ENDED_BY_OTHERS]] as const
    expect(held.add({ tag: A, by: 'f', atMs: 0, epoch: 5, sessions: others }).sessions).toEqual(others)
    held.add({
      tag: A,
      by: 'f',
      atMs: 0,
      epoch: 7,
      roles: { names: ['b'], epoch: 7 },
      block: { blocked: true, epoch: 7 },
    })
    held.add({
      tag: A,
      by: 'f',
      atMs: 0,
      epoch: 6,
      roles: { names: ['a'], epoch: 6 },
      block: { blocked: false, epoch: 6 },
    })
    held.add({ tag: A, by: 'f', atMs: 0, sessions: [[id(A), 'logout']] })
    // What is known already is not written down again.
    expect(held.add({ tag: A, by: 'f', atMs: 0, sessions: others }).sessions).toEqual([])
    expect(held.lost(A, 9)).toEqual({
      sessions: new Map([[id(A), 'logout']]),
      jtis: new Map(),
      epoch: 7,
      roles: { names: ['b'], epoch: 7 },
      block: { blocked: true, epoch: 7 },
      unknownUntilMs: 9,
    })
  })

  test('is bounded, and says what it let go of', () => {
    const held = new Held()
    for (let n = 0; n < 100_010; n++) held.add({ tag: `t${n}`, by: 'f', atMs: 0 })
    expect([held.size, held.dropped]).toEqual([100_000, 10])
  })

  test('is the same after it was written down and read again', () => {
    const held = new Held()
    const lines = [
      held.add({ tag: A, by: 'f00', atMs: 3, epoch: 5, sessions: [[id(A), 'logout']], jtis: [['j', 9]] }),
      held.add({ tag: B, by: 'f00', atMs: 4, epoch: 6, roles: { names: ['r'], epoch: 6 } }),
      held.add({ tag: null, by: 'f00', atMs: 5, floor: { notBeforeMs: 5, why: 'admin' } }),
    ]
    const read = new Held()
    const operation: Operation = { is: 'everyone', why: 'admin', notBeforeMs: 1 }
    const entries = [
      ...lines.map((one) => ({ held: one })),
      { queued: 1, atMs: 1, operation },
      { queued: 2, atMs: 2, operation },
      { done: 1 },
      { reapplied: [B], by: 'f11' },
    ]
    const queued = replay(JSON.parse(JSON.stringify(entries)), read)
    held.confirm({ tag: B, by: 'f11' })
    expect([...read.notes()]).toEqual([...held.notes()])
    expect([...queued.keys()]).toEqual([2])
  })
})

test('lines that cannot be read are counted and said', async () => {
  const lines = ['{"done":1}', 'garbage', '{"done":2}']
  const journal = { open: async () => lines, append: async () => {}, replace: async () => {}, close: async () => {} }
  const ledger = new Ledger(
    journal,
    () => [],
    () => {},
  )
  expect(await ledger.open()).toEqual([{ done: 1 }, { done: 2 }])
  expect(ledger.warnings()).toEqual(['lines of the journal that could not be read: 1 (promise 3)'])
})

test('the queue is bounded', async () => {
  const away = new CountersignError('ERR_STORE_UNAVAILABLE', 'away')
  const queue = new Queue(systemRuntime, () => Promise.reject(away))
  for (let number = 1; number <= 10_000; number++) {
    expect(queue.isFull).toBe(false)
    const operation: Operation = { is: 'session', id: id(A, number), why: 'logout', stamped: false }
    queue.add({ number, atMs: 0, operation, context: undefined })
  }
  expect(queue.isFull).toBe(true)
  await queue.close(1)
})

describe('the epoch', () => {
  test('carries the primary, and both come back', () => {
    for (const [epoch, by, primary] of [
      [0, undefined, 0],
      [0, '0010000000000000', 0],
      [1_795_732_206_000, 'fff0000000000000', 2_047],
      [4_398_046_511_103, '8ebc91a9f1b65c43', 1_141],
    ] as const) {
      const visible = epochFor(epoch, by)
      expect(Number.isSafeInteger(visible)).toBe(true)
      expect(epochOf(visible)).toEqual({ epoch, primary })
    }
  })

  test('has room for milliseconds until the year 2109', () => {
    const last = Math.floor(Number.MAX_SAFE_INTEGER / 2_048)
    expect(new Date(last).getUTCFullYear()).toBe(2109)
  })
})
