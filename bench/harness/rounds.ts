import type { RedisServer } from '../../tools/test-support/redis-server.ts'
import type { Group, Row } from '../rows.ts'
import type { Progress } from './progress.ts'
import type { Measured } from './result.ts'

/** What a group gets to work with. */
export interface Bench {
  readonly quick: boolean
  /** Rounds of each comparison. */
  readonly rounds: number
  /** Of each side, in each round. */
  readonly seconds: number
  readonly progress: Progress
  /** A Redis for all groups whose keys cannot meet; those that fill one have their own. */
  redis(): Promise<RedisServer>
}

/** Measures the rows of one group that are wanted. */
export interface Measure {
  /** How long it takes, for the time that is left. */
  plannedSeconds(bench: Pick<Bench, 'quick' | 'rounds' | 'seconds'>, rows: readonly Row[]): number
  run(bench: Bench, group: Group): AsyncIterable<Measured>
}

/**
 * Every side once in each round, and each round begins with another one: a machine that is slower half-way slows all
 * alike, and no side always comes after the same other.
 */
export async function inTurns<S extends string, T>(
  sides: readonly S[],
  rounds: number,
  measure: (side: S, round: number) => Promise<T>,
): Promise<Readonly<Record<S, readonly T[]>>> {
  const values = Object.fromEntries(sides.map((side) => [side, [] as T[]])) as Record<S, T[]>
  for (let round = 0; round < rounds; round++) {
    for (const side of rotated(sides, round)) values[side].push(await measure(side, round))
  }
  return values
}

/** The same list, begun with another one in each round. */
export function rotated<T>(list: readonly T[], round: number): readonly T[] {
  const first = round % list.length
  return [...list.slice(first), ...list.slice(0, first)]
}
