// Calls in one process, without HTTP.
import { start } from '../harness/processes.ts'
import { compare } from '../harness/result.ts'
import type { Measure } from '../harness/rounds.ts'
import { CONTENDERS, type Contender, type Timed } from '../sides/verify-hit.ts'

const MILLISECONDS = 150
const PAIRS: Readonly<Record<string, readonly [Contender, Contender]>> = {
  'verify-hit/map': ['near', 'map'],
  'verify-hit/map-awaited': ['near-awaited', 'map-awaited'],
  'verify-hit/fast-jwt': ['near', 'fast-jwt'],
}
const secondsEach = (CONTENDERS.length * (MILLISECONDS + 5)) / 1_000

export const verifyHit: Measure = {
  plannedSeconds: ({ rounds }) => 4 + (rounds + 2) * secondsEach,
  async *run(bench, group) {
    const { url: redis } = await bench.redis()
    const times = Object.fromEntries(CONTENDERS.map((name) => [name, [] as number[]])) as Record<Contender, number[]>
    const told = { redis, rounds: bench.rounds, milliseconds: MILLISECONDS }
    const child = await start('sides/verify-hit.ts', told, {}, (line) => {
      const { contender, round, nanoseconds } = JSON.parse(line) as Timed
      times[contender][round] = nanoseconds
      bench.progress.show(group.id, `round ${round + 1} of ${bench.rounds}, ${contender}`)
      bench.progress.done(secondsEach / CONTENDERS.length)
    })
    await child.done
    for (const row of group.rows) {
      const [ours, rival] = PAIRS[row.id]!
      yield compare(row, times[ours], times[rival], `Node ${process.versions.node}`)
    }
  },
}
