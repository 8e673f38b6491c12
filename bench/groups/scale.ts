// What a million sessions cost a single call.
import { join } from 'node:path'
import { generateKeyring } from 'countersign'
import { folder, start, startBenchRedis } from '../harness/processes.ts'
import { compare } from '../harness/result.ts'
import type { Bench, Measure } from '../harness/rounds.ts'
import type { Group } from '../rows.ts'
import type { Filled, ToldFill } from '../sides/fill.ts'
import type { ScaleRound, ToldScale } from '../sides/scale.ts'

const FEW = 10_000
const many = (quick: boolean) => (quick ? 100_000 : 1_000_000)
const SESSIONS_PER_SECOND = 9_000
/** Of the large side, drawn at random. The small side has all of its own. */
const KEPT = 100_000
const CALLS = 500
const SECONDS_A_ROUND = 0.6

export const scale: Measure = {
  plannedSeconds: ({ quick, rounds }) => 5 + (many(quick) + FEW) / SESSIONS_PER_SECOND + (rounds + 1) * SECONDS_A_ROUND,
  async *run(bench, group) {
    const keyring = generateKeyring({ signing: ['HS256'] })
    const sides = []
    for (const sessions of [many(bench.quick), FEW]) sides.push(await fill(bench, group, sessions, keyring))
    const rounds: ScaleRound[] = []
    const told: ToldScale = { keyring, sides, rounds: bench.rounds, calls: CALLS }
    const child = await start('sides/scale.ts', told, {}, (line) => {
      rounds.push(JSON.parse(line) as ScaleRound)
      bench.progress.show(group.id, `round ${rounds.length} of ${bench.rounds}`)
      bench.progress.done(SECONDS_A_ROUND)
    })
    await child.done
    await Promise.all(sides.map(({ stop }) => stop()))
    const note = `${many(bench.quick)} and ${FEW} sessions`
    for (const row of group.rows) {
      const kind = row.id === 'scale-verify' ? 'verify' : 'login'
      const of = (side: number) => rounds.map((round) => round[kind][side]!)
      yield compare(row, of(0), of(1), note)
    }
  },
}

async function fill(bench: Bench, group: Group, sessions: number, keyring: ToldFill['keyring']) {
  const redis = await startBenchRedis()
  const tokens = join(folder, `tokens-${sessions}`)
  const told: ToldFill = { redis: redis.url, sessions, knows: 'nothing', keyring, tokens, keep: KEPT }
  let before = 0
  const child = await start('sides/fill.ts', told, {}, (line) => {
    const { filled } = JSON.parse(line) as Filled
    bench.progress.show(group.id, `${filled} of ${sessions} sessions`)
    bench.progress.done((filled - before) / SESSIONS_PER_SECOND)
    before = filled
  })
  await child.done
  return { redis: redis.url, tokens, sessions, stop: () => redis.stop() }
}
