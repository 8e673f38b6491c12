import type { Score } from '../steps.ts'

export interface Row {
  readonly version: string
  readonly score: Score
  readonly seconds: number
}

/** What a run of `npm test` came to. One that ended without a score, or badly although nothing failed, has failed. */
export function readScore(output: string, code: number): Score {
  const last = [...output.matchAll(/^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/gm)].at(-1)
  const [passed, failed, skipped] = (last ?? []).slice(1).map((text) => Number(text ?? 0))
  const score = { passed: passed ?? 0, failed: failed ?? 0, skipped: skipped ?? 0 }
  if (score.failed === 0 && (code !== 0 || score.passed === 0)) score.failed = 1
  return score
}

/** A line per version, and as the last one the sum. */
export function summary(rows: readonly Row[]): string[] {
  const cells = [['Node', 'passed', 'failed', 'skipped', 'minutes']]
  const total: Score = { passed: 0, failed: 0, skipped: 0 }
  for (const { version, score, seconds } of rows) {
    const numbers = [score.passed, score.failed, score.skipped].map(String)
    cells.push([version, ...numbers, (seconds / 60).toFixed(1)])
    total.passed += score.passed
    total.failed += score.failed
    total.skipped += score.skipped
  }
  const lines = cells.map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(8) : cell.padStart(8))).join(' '))
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
  return [...lines, `${total.passed} passed, ${total.failed} failed${skipped}`]
}
