// Counts what goes over the wire to Redis, with a proxy between.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { scripts } from '../../packages/countersign/src/stores/redis/scripts.generated.ts'
import { type RespProxy, startRespProxy } from '../../tools/test-support/resp-proxy.ts'
import { atEnd } from '../harness/ending.ts'
import { once } from '../harness/once.ts'
import { type Server, startServer } from '../harness/processes.ts'
import { absolute } from '../harness/result.ts'
import type { Measure } from '../harness/rounds.ts'
import { DATA, ROLES, SESSIONS, subjectOf } from '../sides/content.ts'
import { ALLOWLIST_QUICK, keyring, NO_NEAR_CACHE, SESSIONS_OPTIONS } from '../sides/sessions.ts'

const SECONDS = 6
const PASSES = 3
const AT_ONCE = 32

export const commands: Measure = {
  plannedSeconds: (_bench, rows) => rows.length * SECONDS,
  async *run(bench, group) {
    const redis = await bench.redis()
    const names = new Map<string, string>(Object.values(scripts).map(({ sha1, name }) => [sha1, name]))
    const proxy = await startRespProxy({ target: redis.url, scripts: names })
    const forget = atEnd(() => proxy.stop())
    try {
      const hits = once(() => countRequests(proxy, 'allowlist-cached'))
      const measures: Readonly<Record<string, () => Promise<{ readonly value: number; readonly note: string }>>> = {
        'commands/hit': async () => ({ ...(await hits()), value: (await hits()).perRequest }),
        'commands/fences-per-second': async () => ({ ...(await hits()), value: (await hits()).fencesPerSecond }),
        'commands/miss': async () => {
          const counted = await countRequests(proxy, 'allowlist')
          return { ...counted, value: counted.perRequest }
        },
        'commands/touches-per-tenth': () => countTouches(proxy),
        'commands/confirms-per-rotation': () => countConfirms(proxy),
      }
      for (const row of group.rows) {
        bench.progress.show(group.id, row.id)
        const { value, note } = await measures[row.id]!()
        bench.progress.done(SECONDS)
        yield absolute(row, value, 1, note)
      }
    } finally {
      forget()
      await proxy.stop()
    }
  },
}

/** What keeps the connection and the lease alive, whether there are requests or not. */
const isFence = (name: string) => name === 'read-floor' || name === 'TIME'
const isKeepAlive = (name: string) => name === 'PING' || name === 'CLIENT|TRACKINGINFO'

async function countRequests(proxy: RespProxy, variant: string) {
  const told = { redis: proxy.url, sessions: SESSIONS, tuned: false, variant }
  const server = await startServer('sides/countersign.ts', told)
  const headers = readFileSync(server.headers, 'utf8').trim().split('\n')
  // The first time each has to be read; and the first of all come before there is a line over which copies are kept.
  for (let pass = 0; pass < 2; pass++) await askAll(server, headers)
  proxy.reset()
  const startedMs = performance.now()
  for (let pass = 0; pass < PASSES; pass++) await askAll(server, headers)
  const seconds = (performance.now() - startedMs) / 1_000
  const { EVALSHA: _scripts, ...commands } = proxy.counts().commands
  const all = Object.entries({ ...commands, ...proxy.counts().scripts })
  await server.stop()
  const requests = PASSES * headers.length
  const sum = (which: (name: string) => boolean) =>
    all.filter(([name]) => which(name)).reduce((total, [, count]) => total + count, 0)
  const counted = all.map(([name, count]) => `${count} ${name}`).join(', ')
  return {
    perRequest: sum((name) => !isFence(name) && !isKeepAlive(name)) / requests,
    fencesPerSecond: sum(isFence) / seconds,
    note: `${requests} requests in ${seconds.toFixed(1)} s: ${counted || 'nothing'}`,
  }
}

async function askAll(server: Server, headers: readonly string[]): Promise<void> {
  for (let at = 0; at < headers.length; at += AT_ONCE) {
    await Promise.all(
      headers.slice(at, at + AT_ONCE).map(async (header) => {
        const [name, value] = header.split(/: (.*)/) as [string, string]
        const answer = await fetch(server.url, { headers: { [name]: value } })
        await answer.arrayBuffer()
        if (answer.status !== 200) throw new Error(`a session was answered with ${answer.status}`)
      }),
    )
  }
}

const FEW = 50
const open = async (proxy: RespProxy, idle: '10s' | '30m', prefix: string) =>
  createSessions({
    ...SESSIONS_OPTIONS,
    timeouts: { idle, absolute: '7d' },
    strategy: ALLOWLIST_QUICK,
    keyring: await keyring(),
    store: redisStore({ url: proxy.url, prefix: `${prefix}-${process.pid}` }),
    ...NO_NEAR_CACHE,
  })

const issueFew = (sessions: Awaited<ReturnType<typeof open>>) =>
  Promise.all(
    Array.from({ length: FEW }, async (_, at) => {
      const issued = await sessions.issue({ subject: subjectOf(at), roles: ROLES, data: DATA })
      if (!issued.ok) throw new Error(`refused: ${issued.reason}`)
      return issued
    }),
  )

/** With an idle timeout of 10 s a tenth of it is a second: three of them, in which every session is used all the time. */
async function countTouches(proxy: RespProxy) {
  const sessions = await open(proxy, '10s', 'touches')
  const issued = await issueFew(sessions)
  proxy.reset()
  const startedMs = performance.now()
  let uses = 0
  while (performance.now() - startedMs < 3_000) {
    for (const { accessToken } of issued) if ((await sessions.verify(accessToken)).ok) uses++
    await sleep(20)
  }
  const tenths = (performance.now() - startedMs) / 1_000
  await sessions.close()
  const touches = proxy.counts().scripts['touch-session'] ?? 0
  const note = `${touches} writes for ${uses} uses of ${FEW} sessions in ${tenths.toFixed(1)} tenths of the timeout`
  return { value: touches / FEW / tenths, note }
}

/** Each session is refreshed once, and what that gave out is used three times. */
async function countConfirms(proxy: RespProxy) {
  const sessions = await open(proxy, '30m', 'confirms')
  const issued = await issueFew(sessions)
  await sleep(1_100) // a token younger than the grace is given out again instead of rotated
  proxy.reset()
  const next = await Promise.all(issued.map(({ refreshToken }) => sessions.refresh(refreshToken)))
  for (let use = 0; use < 3; use++) {
    for (const refreshed of next) {
      if (!refreshed.ok) throw new Error(`refused: ${refreshed.reason}`)
      await sessions.verify(refreshed.accessToken)
    }
  }
  await sessions.close()
  const { 'touch-session': confirms = 0, 'rotate-session': rotations = 0 } = proxy.counts().scripts
  const note = `${confirms} writes for ${rotations} rotations, each used three times`
  return { value: confirms / rotations, note }
}
