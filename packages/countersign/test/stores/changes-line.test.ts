// What ends a series of polls, and since when the next one asks: the parts that no server does on demand.
import { describe, expect, test } from 'vitest'
import type { FeedListener } from '../../src/stores/contract.ts'
import { ChangesLine } from '../../src/stores/postgres/changes-line.ts'

function lineOf(first: object = {}) {
  let monotonicMs = 1_000_000
  const clock = { monotonicMs: () => monotonicMs, nowMs: () => 5_000_000 + monotonicMs }
  const told: string[] = []
  const listener: FeedListener = {
    sessionChanged: (id) => told.push(id),
    revocationsChanged: (tag) => told.push(tag),
    reset: () => told.push('reset'),
    floorRead: () => undefined,
    uses: () => 0,
  }
  const now = () => ({ monotonicMs, wallMs: 5_000_000 + monotonicMs })
  const line = new ChangesLine(listener, clock, rowOf(first))
  line.take(rowOf(first), now())
  const pass = (ms: number) => {
    monotonicMs += ms
  }
  return { line, told, now, pass }
}
const rowOf = (more: object = {}) => ({
  server: '1700000000.5 00000001',
  marker: 'm',
  marks: 7,
  snapshot: '10:20:10,12',
  written: '500',
  flushed: '500',
  changes: [],
  ...more,
})

describe('asks since a snapshot only when all that it saw is on the disk', () => {
  test('of the newest of those', () => {
    const { line, now } = lineOf({ snapshot: 'one', written: '500', flushed: '499' })
    expect(line.isOpen).toBe(false)
    expect(line.since).toBeNull()
    expect(line.fencedMonotonicMs).toBe(Number.NEGATIVE_INFINITY)
    line.take(rowOf({ snapshot: 'two', written: '600', flushed: '500' }), now())
    expect(line.isOpen).toBe(true)
    expect(line.since).toBe('one')
    line.take(rowOf({ snapshot: 'three', written: '18446744073709551615', flushed: '600' }), now())
    expect(line.since).toBe('two')
    // Numbers of 64 bits, which a double cannot tell apart.
    line.take(rowOf({ snapshot: 'four', written: '18446744073709551615', flushed: '18446744073709551614' }), now())
    expect(line.since).toBe('two')
    line.take(rowOf({ snapshot: 'five', written: '18446744073709551615', flushed: '18446744073709551615' }), now())
    expect(line.since).toBe('five')
  })
})

test('tells first and renews the lease to when the question was asked', () => {
  const { line, told, now, pass } = lineOf()
  const asked = now()
  pass(700)
  line.take(
    rowOf({
      changes: [
        ['session', ['a', 'b']],
        ['revocations', ['t']],
      ],
    }),
    asked,
  )
  expect(told).toEqual(['a', 'b', 't'])
  expect(line.fencedMonotonicMs).toBe(asked.monotonicMs)
  expect(line.fencedWallMs).toBe(asked.wallMs)
  expect(line.fenceAgeMs).toBe(700)
})

test.each([
  ['the server was started again', { server: '1700000001.5 00000001' }],
  ['another timeline', { server: '1700000000.5 00000002' }],
  ['the store was emptied', { marker: 'n' }],
  ['rows were deleted that were not told', { marks: 9 }],
  ['the marks went back', { marks: 6 }],
  ['more than a poll tells', { changes: Array.from({ length: 5_001 }, () => ['session', ['x']]) }],
])('does not go on when %s', (_what, more) => {
  const { line, now } = lineOf()
  expect(line.continues(rowOf(), now())).toBe(true)
  expect(line.continues(rowOf(more), now())).toBe(false)
})

test('goes on over a mark that it has seen, and not after a pause of half a minute', () => {
  const { line, now, pass } = lineOf()
  expect(line.continues(rowOf({ marks: 8 }), now())).toBe(true)
  pass(30_000)
  expect(line.continues(rowOf(), now())).toBe(true)
  pass(1)
  expect(line.continues(rowOf(), now())).toBe(false)
})

test('over, it is void once and for ever', () => {
  const { line, told, now } = lineOf()
  line.end()
  line.end()
  expect(told).toEqual(['reset'])
  expect(line.fencedMonotonicMs).toBe(Number.NEGATIVE_INFINITY)
  expect(line.isOpen).toBe(false)
  expect(line.continues(rowOf(), now())).toBe(false)
})
