// What a session in the near cache costs the process that caches it.
import { start } from '../harness/processes.ts'
import { absolute } from '../harness/result.ts'
import type { Measure } from '../harness/rounds.ts'
import { median } from '../harness/stats.ts'
import type { Heap, ToldHeap } from '../sides/heap.ts'

const SESSIONS = 20_000
const RUNS = 3
const SECONDS = 12

export const heap: Measure = {
  plannedSeconds: () => RUNS * SECONDS,
  async *run(bench, group) {
    const { url: redis } = await bench.redis()
    const told: ToldHeap = { redis, sessions: SESSIONS }
    const values: number[] = []
    for (let run = 0; run < RUNS; run++) {
      bench.progress.show(group.id, `run ${run + 1} of ${RUNS}`)
      const child = await start('sides/heap.ts', { ...told, run }, { flags: ['--expose-gc'] }, (line) => {
        values.push((JSON.parse(line) as Heap).bytesPerEntry)
      })
      await child.done
      bench.progress.done(SECONDS)
    }
    const note = `Node ${process.versions.node}, ${SESSIONS} sessions`
    for (const row of group.rows) yield absolute(row, median(values), RUNS, note)
  },
}
