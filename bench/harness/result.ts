import type { Row } from '../rows.ts'
import { bootstrapMedian, median } from './stats.ts'

/** One row of the JSON. `ratio = ours / rival`; null where the bar is absolute, as are `rival`, `low` and `high`. */
export interface Result {
  readonly id: string
  readonly ours: number
  readonly rival: number | null
  readonly unit: string
  readonly ratio: number | null
  /** Bounds of the 95 % interval of the median ratio. */
  readonly low: number | null
  readonly high: number | null
  readonly rounds: number
}

/** A result, and what the plots are drawn from. */
export interface Measured {
  readonly result: Result
  /** Ratio of each round; empty where there is none. */
  readonly ratios: readonly number[]
  /** What a reader should know besides: which Node, how full the server's core was. */
  readonly notes?: string
}

/** Both sides of each round. What is compared are the ratios within a round, and of these the median. */
export function compare(row: Row, ours: readonly number[], rival: readonly number[], notes?: string): Measured {
  const ratios = ours.map((value, round) => value / rival[round]!)
  const { median: ratio, low, high } = bootstrapMedian(ratios)
  return {
    result: {
      id: row.id,
      ours: round(median(ours)),
      rival: round(median(rival)),
      unit: row.unit,
      ratio: round(ratio),
      low: round(low),
      high: round(high),
      rounds: ours.length,
    },
    ratios: ratios.map(round),
    ...(notes !== undefined && { notes }),
  }
}

/** A row that is held against a number. */
export function absolute(row: Row, ours: number, rounds: number, notes?: string): Measured {
  const nothing = { rival: null, ratio: null, low: null, high: null }
  return {
    result: { id: row.id, ours: round(ours), unit: row.unit, rounds, ...nothing },
    ratios: [],
    ...(notes !== undefined && { notes }),
  }
}

/** Whether a row reaches its bar: a comparison by the bound of its interval on the unfavourable side. */
export function passes(row: Row, result: Result): boolean | undefined {
  if (!row.bar) return undefined
  if ('atMost' in row.bar) return (result.high ?? result.ours) <= row.bar.atMost
  return (result.low ?? result.ours) >= row.bar.atLeast
}

/** Four significant digits: more would only be noise. Large numbers lose no digits before the point. */
function round(value: number): number {
  return Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4))
}
