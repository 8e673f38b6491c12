// What the comparison counts by, and that what it leaves behind is made from its results.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { root } from '../tools/files.ts'
import { bin, run } from '../tools/steps.ts'
import { MEASURES } from './groups/all.ts'
import { absolute, compare, passes } from './harness/result.ts'
import { bootstrapMedian, median, mulberry32, quantile } from './harness/stats.ts'
import { document } from './report/document.ts'
import { page } from './report/page.ts'
import { summary } from './report/summary.ts'
import type { Results } from './report/write.ts'
import { reportFiles } from './report/write.ts'
import { GROUPS, ROWS, type Row, select } from './rows.ts'

describe('statistics', () => {
  it('median and quantile', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 2, 3])).toBe(2.5)
    const hundred = Array.from({ length: 100 }, (_, at) => at + 1)
    expect([quantile(hundred, 0.99), quantile(hundred, 0.5), quantile([7], 0.99)]).toEqual([99, 50, 7])
  })

  it('an interval that holds the true median in about 95 of 100 runs', () => {
    const random = mulberry32(1)
    let held = 0
    for (let run = 0; run < 200; run++) {
      // Around 1, and skewed, as times are.
      const { low, high } = bootstrapMedian(Array.from({ length: 15 }, () => 0.9 + 0.2 * random() ** 2))
      if (low <= 0.95 && 0.95 <= high) held++
    }
    expect(held).toBeGreaterThan(175)
    expect(held).toBeLessThan(200)
  })

  it('the same rounds always give the same interval, and equal rounds none', () => {
    const rounds = [0.9, 1, 1.1, 1.2, 0.8]
    expect(bootstrapMedian(rounds)).toEqual(bootstrapMedian(rounds))
    expect(bootstrapMedian([2, 2, 2])).toEqual({ median: 2, low: 2, high: 2 })
  })
})

describe('a bar', () => {
  const row = (bar?: Row['bar']): Row => ({ id: 'x', unit: 'ns', about: '', ...(bar && { bar }) })

  it('is reached by the unfavourable bound, not by the median', () => {
    const ours = [1, 1, 1, 1.4, 1.4]
    const rival = [1, 1, 1, 1, 1]
    const { result } = compare(row(), ours, rival)
    expect(result).toMatchObject({ ours: 1, rival: 1, ratio: 1, low: 1, high: 1.4, rounds: 5 })
    expect(passes(row({ atMost: 1.3 }), result)).toBe(false)
    expect(passes(row({ atMost: 1.4 }), result)).toBe(true)
    expect(passes(row({ atLeast: 1 }), result)).toBe(true)
    expect(passes(row({ atLeast: 1.01 }), result)).toBe(false)
    expect(passes(row(), result)).toBeUndefined()
  })

  it('of an absolute row is reached by the figure itself', () => {
    const { result } = absolute(row(), 5, 1)
    expect(result).toEqual({ id: 'x', ours: 5, rival: null, unit: 'ns', ratio: null, low: null, high: null, rounds: 1 })
    expect([passes(row({ atMost: 5 }), result), passes(row({ atMost: 4 }), result)]).toEqual([true, false])
  })
})

describe('rows', () => {
  it('have an id of their own each, and each group knows how it is measured', () => {
    expect(new Set(ROWS.map(({ id }) => id)).size).toBe(ROWS.length)
    expect(Object.keys(MEASURES).sort()).toEqual(GROUPS.map(({ id }) => id).sort())
  })

  it('are chosen by id, by what an id begins with, and by group', () => {
    const ids = (...only: string[]) => [...select(only).ids]
    expect(ids('scale-login')).toEqual(['scale-login'])
    expect(ids('verify-hit')).toEqual(['verify-hit/map', 'verify-hit/map-awaited', 'verify-hit/fast-jwt'])
    expect(ids('http-direct')).toContain('http-direct/fastify-session')
    expect(ids('scale', 'heap')).toEqual(['scale-verify', 'scale-login', 'heap-per-entry'])
    expect(ids('nothing')).toEqual([])
    expect(ids()).toEqual(ROWS.map(({ id }) => id))
  })
})

describe('the command', () => {
  it('refuses a row that there is not, and an option that there is not', async () => {
    const row = await run(bin('tsx'), ['bench/main.ts', '--only', 'http-hti'])
    expect(row).toMatchObject({ code: 2, output: expect.stringContaining('"--only" names http-hti') })
    const option = await run(bin('tsx'), ['bench/main.ts', '--quik'])
    expect(option).toMatchObject({ code: 2, output: expect.stringContaining("Unknown option '--quik'") })
  })

  it('counts a missed bar and a row that could not be measured', () => {
    const row = ROWS.find(({ id }) => id === 'bytes-per-session')!
    const [good, bad] = [absolute(row, 1, 1), absolute(row, 9_999, 1)]
    expect(summary([good], [])).toMatchObject({ missed: 0, text: expect.stringContaining('1 of 1 bars reached') })
    expect(summary([bad], [])).toMatchObject({ missed: 1, text: expect.stringContaining('MISSED') })
    expect(summary([good], ['heap: why']).text).toContain('not measured: heap: why')
  })
})

describe('the report', () => {
  const file = join(root, 'bench/results.json')
  const results = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : undefined

  const when = results ? it : it.skip
  const why = results ? '' : ' [skipped: no full run of the comparison has been kept yet]'

  when(`is there for a whole run${why}`, () => {
    expect(results?.measured.map(({ result }) => result.id)).toEqual(ROWS.map(({ id }) => id))
    expect(results?.about.quick).toBe(false)
  })

  when.each(['bench/report.html', 'docs/performance.md'])(`%s is what its results make${why}`, (path) => {
    expect(readFileSync(join(root, path), 'utf8') === reportFiles(results!, true)[path]).toBe(true)
  })

  when(`shows every row, and loads nothing${why}`, () => {
    const html = page(results!)
    const markdown = document(results!)
    for (const { id } of ROWS) {
      expect(html).toContain(`<code>${id}</code>`)
      expect(markdown).toContain(`| \`${id}\` |`)
    }
    expect(html).not.toMatch(/<script|<link|<img|src=|url\(|@import/)
  })
})
