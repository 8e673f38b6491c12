import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { type RedisServer, startRedis } from '../../test-support/redis-server.ts'
import { type RespProxy, startRespProxy } from '../../test-support/resp-proxy.ts'
import { type Node, openSessions } from '../clients.ts'
import { loadOn } from '../load.ts'
import { onRedis } from '../places.ts'
import { type Context, demand, type Row, scenario, tests } from '../scenario.ts'

const DEADLINE_MS = 1_000
/** A machine that does other things too is late; a deadline that does not hold is later than this. */
const LATE_MS = 8_000

interface Away {
  begin(): Promise<void> | void
  end(): Promise<void> | void
}

function waysToBeAway(redis: RedisServer, proxy: RespProxy): Readonly<Record<string, Away>> {
  return {
    down: { begin: () => redis.kill('SIGKILL'), end: () => redis.restart() },
    'half-open': { begin: () => proxy.pause(), end: () => proxy.resume() },
    'five seconds late': {
      async begin() {
        proxy.pause('answers')
        setTimeout(() => proxy.resume(), 5_000).unref()
      },
      end: () => sleep(5_500),
    },
  }
}

/** A1. */
async function closedByDefault({ cleanUp, isShort }: Context): Promise<string> {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const sessions = openSessions({ store: redisStore({ url: proxy.url, deadline: '1s' }), keyring })
  cleanUp(() => sessions.close())
  const issued = await sessions.issue({ subject: 'anna', data: { operations: [] } })
  demand(issued.ok, 'no session')
  const calls = {
    verify: () => sessions.verify(issued.accessToken, { fresh: true }),
    refresh: () => sessions.refresh(issued.refreshToken),
    issue: () => sessions.issue({ subject: 'anna', data: { operations: [] } }),
    update: () => sessions.update(issued.session.sessionId, (data) => data),
  }
  const outages = waysToBeAway(redis, proxy)
  let [asked, slowestMs] = [0, 0]
  for (const [name, outage] of Object.entries(outages)) {
    await outage.begin()
    for (let n = 0; n < (isShort ? 1 : 20); n++) {
      for (const [verb, call] of Object.entries(calls)) {
        const startedMs = performance.now()
        const answer = await call().catch((error: { code: string }) => error.code)
        const tookMs = performance.now() - startedMs
        slowestMs = Math.max(slowestMs, tookMs)
        asked++
        // A slow server that answers after all has answered.
        const isFault = typeof answer === 'string' && /^ERR_STORE_(UNAVAILABLE|TIMEOUT)$/.test(answer)
        const hasCome = name === 'five seconds late' && typeof answer === 'object' && answer.ok
        demand(isFault || hasCome, () => `${verb} while the server is ${name}: ${JSON.stringify(answer)}`)
        demand(tookMs < 2 * DEADLINE_MS + LATE_MS, `${verb} while the server is ${name} took ${tookMs.toFixed(0)} ms`)
      }
    }
    await outage.end()
    for (const untilMs = Date.now() + 60_000; ; await sleep(50)) {
      const answer = await calls.verify().catch(() => undefined)
      if (answer?.ok) break
      demand(answer === undefined, () => `a logout by an outage: ${JSON.stringify(answer)}`)
      demand(Date.now() < untilMs, `did not recover from: ${name}`)
    }
  }
  return `${asked} calls in three outages, all faults, the slowest after ${slowestMs.toFixed(0)} ms`
}

const WITHIN_MS = 3_000

/** A1, with `verifiedWithin`. */
async function verifiedWithin({ cleanUp, isShort }: Context): Promise<string> {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const here = openSessions({ store: redisStore({ url: proxy.url, deadline: '1s' }), keyring })
  const there = openSessions({ store: redisStore({ url: redis.url }), keyring })
  cleanUp(() => here.close())
  cleanUp(() => there.close())
  const told = new Map<string | undefined, number>()
  here.events.on('served_degraded', ({ sessionId }) => told.set(sessionId, (told.get(sessionId) ?? 0) + 1))
  const say = async (token: string, more: object = {}) => {
    const startedMs = performance.now()
    const said = await here.verify(token, { outage: { verifiedWithin: '3s' }, ...more }).then(
      (answer) => (answer.ok ? (answer.degraded ? 'degraded' : 'ok') : answer.reason),
      (error: { code: string }) => error.code,
    )
    const tookMs = performance.now() - startedMs
    demand(tookMs < 2 * DEADLINE_MS + LATE_MS, `a check took ${tookMs.toFixed(0)} ms`)
    return said
  }
  const isFault = (said: string) => /^ERR_STORE_(UNAVAILABLE|TIMEOUT)$/.test(said)
  let [served, latestMs, slowestBackMs] = [0, 0, 0]
  for (let round = 0; round < (isShort ? 1 : 10); round++) {
    for (const [name, away] of Object.entries(waysToBeAway(redis, proxy))) {
      const login = async (subject: string) => {
        const untilMs = performance.now() + 60_000
        const issue = (): ReturnType<typeof there.issue> =>
          there.issue({ subject, data: { operations: [] } }).catch((error: unknown) => {
            // It has to find the way back as well.
            if (performance.now() > untilMs) throw error
            return sleep(20).then(issue)
          })
        const issued = await issue()
        demand(issued.ok, 'no session')
        return { token: issued.accessToken, id: issued.session.sessionId }
      }
      const [stays, ends, unseen] = [await login('stays'), await login('ends'), await login('unseen')]
      for (const { token } of [stays, ends]) {
        for (let tries = 0; (await say(token)) !== 'ok'; tries++) {
          demand(tries < 1_000, 'not accepted before the outage')
          await sleep(20)
        }
      }
      await away.begin()
      const begunMs = performance.now()
      // Behind the back of the process that cannot hear of it.
      if (name !== 'down') await there.revoke(ends.id, { reason: 'admin' })
      for (let isOver = false; !isOver; await sleep(50)) {
        isOver = performance.now() - begunMs > WITHIN_MS + 1_500
        for (const { token } of [stays, ends]) {
          const said = await say(token)
          const afterMs = performance.now() - begunMs
          if (said === 'degraded') {
            served++
            latestMs = Math.max(latestMs, afterMs)
          }
          // The near cache goes on for a second, and a server that is late answers in the end.
          const mayKnow = afterMs < 1_000 + LATE_MS / 4 || name === 'five seconds late'
          demand(isFault(said) || said === 'degraded' || mayKnow, () => `${said} while the server is ${name}`)
        }
        for (const [token, more] of [
          [unseen.token],
          [stays.token, { roles: ['x'] }],
          [stays.token, { maxAge: '1h' }],
        ] as const) {
          const said = await say(token, more)
          demand(said !== 'degraded', () => `degraded without a right to it, while the server is ${name}`)
        }
      }
      demand(latestMs <= WITHIN_MS + 500, `served ${latestMs.toFixed(0)} ms after the server was ${name}`)
      await away.end()
      const backMs = performance.now()
      for (let said = await say(stays.token); said !== 'ok'; said = await say(stays.token)) {
        demand(isFault(said), `a logout by an outage: ${said}`)
        demand(performance.now() - backMs < 60_000, `did not recover from: ${name}`)
        await sleep(20)
      }
      slowestBackMs = Math.max(slowestBackMs, performance.now() - backMs)
      if (name !== 'down') demand((await say(ends.token)) === 'ended', 'a revocation was not heeded after the outage')
      demand((told.get(stays.id) ?? 0) > 0, `nobody was told of what was served while the server was ${name}`)
    }
  }
  const events = [...told.values()].reduce((sum, number) => sum + number, 0)
  const figures = `the last ${latestMs.toFixed(0)} ms after the outage began, ${events} events`
  return `${served} degraded answers, ${figures}, back after at most ${slowestBackMs.toFixed(0)} ms`
}

/** S1. */
async function soak(context: Context): Promise<string> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heaps: number[] = []
  const resources: string[] = []
  const place = await onRedis(context)
  const onRound = (_: unknown, nodes: readonly Node[]) => {
    collect()
    // What copies take is bounded, and by far not full after a soak: it grows with the tokens that were seen.
    const copies = nodes.reduce((sum, { sessions }) => sum + sessions.health().nearCache.bytes, 0)
    heaps.push((process.memoryUsage().heapUsed - copies) / 2 ** 20)
    const counts = new Map<string, number>()
    for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
    // Sockets come and go with the faults; timers are one per thing that has one.
    resources.push(
      `${counts.get('Timeout') ?? 0} timers, ${process.listenerCount('exit') + process.listenerCount('warning')} listeners`,
    )
  }
  const { soakMs } = context
  const faults = context.isShort ? { calmMs: 500, troubleMs: 1_500 } : { calmMs: 5_000, troubleMs: 2_000 }
  const said = await loadOn(place, context, { calls: 0, forMs: soakMs, atMostMs: soakMs + 60_000, ...faults, onRound })
  demand(heaps.length >= 2, 'less than two rounds: longer, please')
  const grownMiB = heaps.at(-1)! - heaps[0]!
  // The first rounds compile; a leak of one call's worth per call is far more than this.
  const mostMiB = Math.max(24, heaps.length * 0.05)
  demand(
    grownMiB < mostMiB,
    `the heap has grown by ${grownMiB.toFixed(1)} MiB: ${heaps.map((mib) => mib.toFixed(0)).join(' ')}`,
  )
  const timers = resources.map((text) => Number.parseInt(text, 10))
  demand(timers.at(-1)! <= timers[0]! + 20, `timers: ${timers.join(' ')}`)
  return `${(soakMs / 60_000).toFixed(1)} min (the hour is --soak 1h): ${said}; heap ${heaps[0]!.toFixed(0)} → ${heaps.at(-1)!.toFixed(0)} MiB, ${resources.at(-1)}`
}

const wire = 'packages/countersign/test/stores/redis-line-wire.test.ts'

export const outages: readonly Row[] = [
  {
    id: 'A1',
    fault: 'Redis is down, half-open, or five seconds late',
    passes:
      'every call is answered by its deadline, with a fault: nobody is let in, nobody is logged out; with `verifiedWithin` who was verified moments ago goes on for so long, and it is told',
    proofs: [
      scenario('down, half-open, five seconds late', closedByDefault),
      scenario('with verifiedWithin', verifiedWithin),
      tests(
        'packages/countersign/test/outage/sql.test.ts',
        'Postgres that stands still is not waited for, and used again as soon as it goes on',
      ),
      tests(
        'packages/countersign/test/verbs/outage.test.ts',
        'is not waited for: calls fail at once, revocations wait, and all of it is told and undone when it is back',
      ),
    ],
  },
  {
    id: 'A2',
    fault: 'everybody connects again at once',
    passes: 'at most two attempts per process and second; one read per key, however many ask',
    proofs: [
      tests(wire, 'A2: at most two attempts per second, in the long run and with everybody asking'),
      tests(
        'packages/countersign/test/stores/postgres-faults.test.ts',
        'is not stormed: callers by the thousand, attempts to connect by the second',
      ),
      tests(
        'packages/countersign/test/promises/round-trips.test.ts',
        'verify of a new token: 1, also when many ask for it at once',
      ),
    ],
  },
  {
    id: 'A3',
    fault: 'SIGTERM under load',
    passes: 'what is under way is answered, and the process ends with 0',
    proofs: [
      tests('packages/server/test/serve.test.ts', 'sessions survive a restart, and SIGTERM under load loses no answer'),
    ],
  },
  {
    id: 'S1',
    fault: 'a soak: faults of 200 ms to 2 s, all the time',
    passes: 'all invariants; the heap does not grow, nor the number of timers and listeners',
    proofs: [scenario('soak', soak)],
  },
]
