import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { Copy, KnownTokens } from '../../src/cache/known-tokens.ts'
import { type SessionId, tagOfId } from '../../src/session/ids.ts'
import type { Principal } from '../../src/session/types.ts'
import type { Line } from '../../src/stores/contract.ts'
import { idOf } from './kit.ts'

const NOW = 1_000
const line: Line = { fencedMonotonicMs: 0, fencedWallMs: 0 }
const session = Object.freeze({}) as Principal
const tokenOf = (n: number) => `t${String(n).padStart(47, '.')}`

const genuine = (proof: number, untilMs = 2e12) => ({ proof, sinceMs: 0, untilMs, proofBytes: 300 })

function add(tokens: KnownTokens<number, undefined>, n: number, untilMs = 2e12) {
  return tokens.add(tokenOf(n), genuine(n, untilMs), NOW)
}
const answer = (bytes: number) => {
  const standing = { id: idOf('AAAAAAAAAAAA'), session, bornMs: 0, overMs: 2e12, dueMs: 2e12, use: undefined, bytes: 0 }
  return { of: { is: 'unknown' }, standing, bytes } as const
}
function attach(tokens: KnownTokens<number, undefined>, n: number, id: SessionId, bytes = 100, over = line) {
  const known = tokens.find(tokenOf(n))!
  const standing = { id, session, bornMs: 0, overMs: 2e12, dueMs: 2e12, use: undefined, bytes }
  tokens.attach(new Copy(known, standing, over, { wallMs: 0, monotonicMs: 0 }), NOW)
  return known
}

describe('bounds', () => {
  test('N9: a million tokens that come once take no more room than the bounds allow', () => {
    const tokens = new KnownTokens<number, undefined>({ maxEntries: 1_000, maxBytes: 10_000_000 })
    for (let n = 0; n < 2_000; n++) add(tokens, n)
    const bytes = tokens.bytes
    for (let n = 0; n < count(100_000, 1_000_000); n++) {
      tokens.add(randomBytes(48).toString('base64url'), genuine(n), NOW)
    }
    expect(tokens.size).toBe(1_000)
    expect(Math.abs(tokens.bytes - bytes)).toBeLessThan(20_000)
  })

  test('the ones in use stay: a scan of others drives none of them out', () => {
    const tokens = new KnownTokens<number, undefined>({ maxEntries: 100, maxBytes: 10_000_000 })
    for (let n = 0; n < 50; n++) add(tokens, n)
    for (let n = 1_000; n < 5_000; n++) {
      for (let used = 0; used < 50; used++) {
        const known = tokens.find(tokenOf(used))
        if (known) known.wasUsed = true
      }
      add(tokens, n)
    }
    const kept = Array.from({ length: 50 }, (_, n) => tokens.find(tokenOf(n))).filter(Boolean)
    expect(kept).toHaveLength(50)
    expect(tokens.evicted).toBe(50 + 4_000 - 100)
  })

  test('tokens that have expired go first, used or not', () => {
    const tokens = new KnownTokens<number, undefined>({ maxEntries: 3, maxBytes: 10_000_000 })
    for (const [n, untilMs] of [2e12, NOW, 2e12].entries()) add(tokens, n, untilMs)!.wasUsed = true
    add(tokens, 3)
    expect([0, 1, 2, 3].map((n) => tokens.find(tokenOf(n)) !== undefined)).toEqual([true, false, true, true])
  })

  test('bytes count too, of copies as well, and one that is too large is not kept at all', () => {
    const tokens = new KnownTokens<number, undefined>({ maxEntries: 1_000, maxBytes: 100_000 })
    for (let n = 0; n < 100; n++) {
      add(tokens, n)
      attach(tokens, n, idOf(), 6_000)
      expect(tokens.bytes).toBeLessThanOrEqual(100_000)
    }
    expect(tokens.size).toBeLessThan(17)
    add(tokens, 500)
    expect(attach(tokens, 500, idOf(), 6_251).copy).toBeUndefined()
    expect(tokens.add('x'.repeat(100_001), genuine(1), NOW)).toBeUndefined()
    const none = new KnownTokens<number, undefined>({ maxEntries: 0, maxBytes: 100_000 })
    expect(add(none, 1)).toBeUndefined()
  })
})

test('a token is kept as characters of its own: a slice would keep the header that it was cut out of', () => {
  const tokens = new KnownTokens<number, undefined>({ maxEntries: 10_000, maxBytes: 100_000_000 })
  setFlagsFromString('--expose-gc')
  const gc: () => void = runInNewContext('gc')
  const heap = () => {
    gc()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  for (let n = 0; n < 1_000; n++) {
    const header = randomBytes(15_000).toString('base64url')
    tokens.add(header.slice(7, 407), genuine(n), NOW)
  }
  // Twenty million bytes with the headers.
  expect(heap() - before).toBeLessThan(5_000_000)
  expect(tokens.size).toBe(1_000)
})

test('the index by tag and the sum of bytes agree with what is kept, whatever happens', () => {
  const TAGS = ['AAAAAAAAAAAA', 'BBBBBBBBBBBB', 'CCCCCCCCCCCC']
  const ids = TAGS.flatMap((tag) => [idOf(tag), idOf(tag)])
  const lines: Line[] = [line, { ...line }]
  const n = fc.nat({ max: 20 })
  const which = fc.nat({ max: ids.length - 1 })
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), n }),
    fc.record({ do: fc.constant('attach' as const), n, which, line: fc.nat({ max: 1 }), bytes: fc.nat({ max: 600 }) }),
    fc.record({ do: fc.constant('detach' as const), n }),
    fc.record({ do: fc.constant('answer' as const), n, bytes: fc.option(fc.nat({ max: 900 }), { nil: undefined }) }),
    fc.record({ do: fc.constant('detachId' as const), which }),
    fc.record({ do: fc.constant('detachTag' as const), which }),
    fc.record({ do: fc.constant('detachLine' as const), line: fc.nat({ max: 1 }) }),
    fc.record({ do: fc.constant('use' as const), n }),
    fc.record({ do: fc.constant('clear' as const) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const tokens = new KnownTokens<number, undefined>({ maxEntries: 12, maxBytes: 12_000 })
      const copies = () =>
        Array.from({ length: 21 }, (_, at) => tokens.find(tokenOf(at))?.copy).filter((copy) => copy !== undefined)
      for (const one of steps) {
        const before = copies()
        if (one.do === 'add') add(tokens, one.n)
        else if (one.do === 'attach' && tokens.find(tokenOf(one.n)))
          attach(tokens, one.n, ids[one.which]!, one.bytes, lines[one.line]!)
        else if (one.do === 'detach' && tokens.find(tokenOf(one.n))) tokens.detach(tokens.find(tokenOf(one.n))!)
        else if (one.do === 'answer' && tokens.find(tokenOf(one.n)))
          tokens.setAnswer(tokens.find(tokenOf(one.n))!, one.bytes === undefined ? undefined : answer(one.bytes), NOW)
        else if (one.do === 'use' && tokens.find(tokenOf(one.n))) tokens.find(tokenOf(one.n))!.wasUsed = true
        else if (one.do === 'clear') tokens.clear()
        else if (one.do === 'detachId') {
          const id = ids[one.which]!
          const hit = before.filter((copy) => copy.id === id)
          expect(tokens.detachTag(tagOfId(id), id)).toBe(hit.length)
          expect(copies()).toEqual(before.filter((copy) => copy.id !== id))
        } else if (one.do === 'detachTag') {
          const tag = tagOfId(ids[one.which]!)
          tokens.detachTag(tag)
          expect(copies().filter((copy) => tagOfId(copy.id) === tag)).toEqual([])
        } else if (one.do === 'detachLine') {
          tokens.detachLine(lines[one.line]!)
          expect(copies().filter((copy) => copy.line === lines[one.line])).toEqual([])
        }
        const known = Array.from({ length: 21 }, (_, at) => tokens.find(tokenOf(at))).filter((at) => at !== undefined)
        expect(known).toHaveLength(tokens.size)
        expect(tokens.size).toBeLessThanOrEqual(12)
        const bytesOf = ({ token, copy, answer }: (typeof known)[number]) =>
          550 + token.length + (copy?.bytes ?? 0) + (answer?.bytes ?? 0)
        const bytes = known.reduce((sum, one) => sum + bytesOf(one), 0)
        expect(tokens.bytes).toBe(bytes)
        expect(bytes).toBeLessThanOrEqual(12_000)
      }
    }),
    { numRuns: count(200, 5_000) },
  )
})
