// The little statistics that the comparison needs.

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** The smallest value that at least `share` of them do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
}

export interface Interval {
  readonly median: number
  readonly low: number
  readonly high: number
}

const RESAMPLES = 10_000

/**
 * The median with its 95 % interval by the percentile bootstrap: what the median would have been in ten thousand runs
 * whose rounds are drawn from those that were. Asks nothing of the distribution. The draw has a fixed seed, so the same
 * rounds always give the same interval.
 */
export function bootstrapMedian(values: readonly number[]): Interval {
  const random = mulberry32(values.length)
  const drawn = new Array<number>(values.length)
  const medians = new Float64Array(RESAMPLES)
  for (let one = 0; one < RESAMPLES; one++) {
    for (let at = 0; at < drawn.length; at++) drawn[at] = values[Math.floor(random() * values.length)]!
    medians[one] = median(drawn)
  }
  medians.sort()
  const at = (share: number) => medians[Math.floor(share * (RESAMPLES - 1))]!
  return { median: median(values), low: at(0.025), high: at(0.975) }
}

/** A small generator with a seed: the same order on both sides of a round, and the same draw in every report. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
