import { loadOn } from '../load.ts'
import { onCluster, onPostgres, onRedis, onSentinels, onSqlite, type Place } from '../places.ts'
import { type Context, type Row, scenario } from '../scenario.ts'

const on = (start: (context: Context) => Promise<Place>, calls: number) => async (context: Context) => {
  const place = await start(context)
  const sizes = context.isShort ? { calls: 4_000, atMostMs: 10_000 } : { calls, atMostMs: 6 * 3_600_000 }
  return loadOn(place, context, sizes)
}

const passes = 'the invariants I1 to I7 hold for the whole history; afterwards everything works again'
const row = (id: string, what: string, start: (context: Context) => Promise<Place>, calls: number): Row => ({
  id,
  fault: `load on ${what}, while it is killed, stopped, cut off and silent`,
  passes,
  proofs: [scenario(`load and nemesis on ${what}`, on(start, calls))],
})

export const loads: readonly Row[] = [
  row('L1', 'one Redis', onRedis, 400_000),
  row('L2', 'PostgreSQL', onPostgres, 200_000),
  row('L3', 'SQLite', onSqlite, 200_000),
  row('L4', 'a cluster of 3 primaries and 3 replicas', (context) => onCluster(context), 200_000),
  row('L5', 'a primary with 2 replicas, behind sentinels', onSentinels, 200_000),
]
