// Memory of Redis: before and after filling it, each time a server of its own.
import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyring } from 'countersign'
import type { RedisServer } from '../../tools/test-support/redis-server.ts'
import { ask } from '../../tools/test-support/resp.ts'
import { once } from '../harness/once.ts'
import { start, startBenchRedis, startServer } from '../harness/processes.ts'
import { absolute, compare } from '../harness/result.ts'
import type { Bench, Measure } from '../harness/rounds.ts'
import type { Group } from '../rows.ts'
import type { Filled, ToldFill } from '../sides/fill.ts'

/** With their keys, which are six for five sessions, they fill the server's tables of 131 072 places to 92 %. */
const SESSIONS = 100_000
/** The same share of smaller tables: better-auth has six keys for five sessions too, connect-redis one for each. */
const RIVALS: Readonly<Record<string, { readonly name: string; readonly sessions: number }>> = {
  'bytes-vs-connect-redis': { name: 'express-session', sessions: 30_000 },
  'bytes-vs-better-auth': { name: 'better-auth', sessions: 6_250 },
}
const KNOWN: Readonly<Record<string, ToldFill['knows']>> = {
  'bytes-per-session': 'nothing',
  'bytes-per-session-device': 'device',
  'bytes-per-session-user-agent': 'user agent',
}
/** What each takes, roughly. */
const SECONDS: Readonly<Record<string, number>> = {
  'bytes-per-session': 15,
  'bytes-per-session-device': 15,
  'bytes-per-session-user-agent': 15,
  'bytes-vs-connect-redis': 30,
  'bytes-vs-better-auth': 40,
}

export const bytes: Measure = {
  plannedSeconds: (_bench, rows) => rows.reduce((sum, { id }) => sum + SECONDS[id]!, 0),
  async *run(bench, group) {
    const ours = once(() => fill(bench, group, 'nothing'))
    for (const row of group.rows) {
      const other = RIVALS[row.id]
      if (other) {
        const theirs = await rival(bench, group, other)
        yield compare(row, [await ours()], [theirs], `ours: ${SESSIONS} sessions, theirs: ${other.sessions}`)
      } else {
        const knows = KNOWN[row.id]!
        const bytesEach = knows === 'nothing' ? await ours() : await fill(bench, group, knows)
        yield absolute(row, bytesEach, 1, `${SESSIONS} sessions`)
      }
      bench.progress.done(SECONDS[row.id]!)
    }
  },
}

/** Bytes per session of this library. */
async function fill(bench: Bench, group: Group, knows: ToldFill['knows']): Promise<number> {
  const redis = await startBenchRedis()
  const before = await usedMemory(redis)
  const told: ToldFill = {
    redis: redis.url,
    sessions: SESSIONS,
    knows,
    keyring: generateKeyring({ signing: ['HS256'] }),
  }
  const child = await start('sides/fill.ts', told, {}, (line) => {
    bench.progress.show(group.id, `${(JSON.parse(line) as Filled).filled} of ${SESSIONS} sessions`)
  })
  await child.done
  const used = (await usedMemory(redis)) - before
  await redis.stop()
  return used / SESSIONS
}

/** Bytes per session of a rival, whose server makes its sessions when it starts. */
async function rival(
  bench: Bench,
  group: Group,
  { name, sessions }: { readonly name: string; readonly sessions: number },
): Promise<number> {
  bench.progress.show(group.id, `${sessions} sessions of ${name}`)
  const redis = await startBenchRedis()
  const before = await usedMemory(redis)
  const told = { redis: redis.url, sessions, tuned: false, variant: '' }
  const server = await startServer(`rivals/${name}.ts`, told, { runtime: '24' })
  await server.stop()
  const used = (await usedMemory(redis)) - before
  await redis.stop()
  return used / sessions
}

/** Once nobody is connected any more and the tables have been rebuilt. */
async function usedMemory(redis: RedisServer): Promise<number> {
  for (let last = Number.NaN; ; ) {
    await sleep(500)
    const info = await ask(redis.port, [['INFO', 'memory']])
    const used = Number(/^used_memory:(\d+)/m.exec(info)?.[1])
    if (!(used > 0)) throw new Error('Redis did not tell its memory')
    // Two answers half a second apart that differ by no more than the connection itself.
    if (Math.abs(used - last) < 1_024) return used
    last = used
  }
}
