import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generateKeyring, loadKeyring } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { startRedis } from '../../test-support/redis-server.ts'
import { startRespProxy } from '../../test-support/resp-proxy.ts'
import { openSessions } from '../clients.ts'
import { loadOn } from '../load.ts'
import { onRedis } from '../places.ts'
import { type Context, demand, type Row, scenario, tests } from '../scenario.ts'

const DEADLINE_MS = 1_000
/** A machine that does other things too is late; a deadline that does not hold is later than this. */
const LATE_MS = 8_000

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
  const outages: Record<string, { begin(): Promise<void> | void; end(): Promise<void> | void }> = {
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

/** S1. */
async function soak(context: Context): Promise<string> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const heaps: number[] = []
  const resources: string[] = []
  const place = await onRedis(context)
  const onRound = () => {
    collect()
    heaps.push(process.memoryUsage().heapUsed / 2 ** 20)
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
    passes: 'every call is answered by its deadline, with a fault: nobody is let in, nobody is logged out',
    proofs: [scenario('down, half-open, five seconds late', closedByDefault)],
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
