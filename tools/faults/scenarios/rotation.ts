import { setTimeout as sleep } from 'node:timers/promises'
import { type Duration, generateKeyring, loadKeyring, type Runtime, systemRuntime } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { redisStore } from 'countersign/stores/redis'
import fc from 'fast-check'
import { startRedis } from '../../test-support/redis-server.ts'
import { startRespProxy } from '../../test-support/resp-proxy.ts'
import { type Library, openSessions } from '../clients.ts'
import { fingerprint } from '../history.ts'
import { type Context, demand, type Row, scenario, tests } from '../scenario.ts'
import { live } from '../simulator/run.ts'
import { startWorker } from '../worker.ts'

const races = (store: string) => `packages/countersign/test/races/${store}.test.ts`
const raceSuite = 'packages/countersign/test/races/suite.ts'
const storeTests = (store: string) => `packages/countersign/test/stores/${store}.test.ts`
const strategyTests = (store: string) => `packages/countersign/test/strategies/${store}.test.ts`
const rotateSuite = 'packages/countersign/src/conformance/store/rotate.ts'
const refreshSuite = 'packages/countersign/src/conformance/strategy/refresh.ts'
const STORES = ['redis', 'sqlite', 'postgres']
const onAll = (file: (store: string) => string, name: string, source: string) =>
  STORES.map((store) => tests(file(store), name, source))

/** Every refresh but the quickest rotates. */
const QUICK: Duration = '0.001s'

async function login(sessions: Library, subject = 'anna') {
  const issued = await sessions.issue({ subject, data: { operations: [] } })
  demand(issued.ok, () => `a login was refused: ${JSON.stringify(issued)}`)
  return issued
}

async function renewed(sessions: Library, token: string) {
  const next = await sessions.refresh(token)
  demand(next.ok, () => `an honest refresh was refused: ${JSON.stringify(next)}`)
  return next
}

const generationOf = (token: string) => fingerprint(token).generation

/** R2. */
async function lostAnswers({ isShort, cleanUp }: Context): Promise<string> {
  const redis = await startRedis()
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const store = redisStore({ url: proxy.url })
  // Without the near cache there is one connection, and the bytes of its answers are those of the refresh.
  const sessions = openSessions({ store, keyring, grace: QUICK, nearCache: false })
  cleanUp(() => sessions.close())
  let [lost, tried] = [0, 0]
  let { refreshToken } = await login(sessions)
  const most = 4_000
  for (let bytes = 0; bytes < most; bytes += isShort && bytes >= 8 ? 11 : 1) {
    await sleep(5)
    tried++
    const before = generationOf(refreshToken)
    proxy.cutAfter(bytes)
    const answer = await sessions.refresh(refreshToken).catch((error: { code: string }) => error.code)
    if (typeof answer !== 'string') {
      demand(answer.ok, () => `after ${bytes} bytes: refused with ${JSON.stringify(answer)}`)
      demand(lost > 0, 'the first answer already came through')
      proxy.cutAfter(Number.POSITIVE_INFINITY)
      return `the answer cut at ${tried} places up to byte ${bytes}: ${lost} lost, each time the same successor`
    }
    lost++
    proxy.cutAfter(Number.POSITIVE_INFINITY)
    const again = [await untilAnswered(sessions, refreshToken), await untilAnswered(sessions, refreshToken)]
    const successors = new Set(again.map((one) => one.refreshToken))
    demand(successors.size === 1, `after ${bytes} bytes: two successors`)
    const [successor] = successors
    demand(generationOf(successor!) === before + 1, `after ${bytes} bytes: not the next generation`)
    refreshToken = successor!
  }
  throw new Error(`no answer came through within ${most} bytes`)
}

async function untilAnswered(sessions: Library, token: string) {
  for (const untilMs = Date.now() + 60_000; ; await sleep(20)) {
    const answer = await sessions.refresh(token).catch(() => undefined)
    if (answer?.ok) return answer
    demand(answer === undefined, () => `a repeat was refused: ${JSON.stringify(answer)}`)
    demand(Date.now() < untilMs, 'no answer for a minute')
  }
}

/** R3. */
async function crashBeforeTheAnswer({ isShort, cleanUp }: Context): Promise<string> {
  const redis = await startRedis()
  cleanUp(() => redis.stop())
  const proxy = await startRespProxy({ target: redis.url })
  cleanUp(() => proxy.stop())
  const content = generateKeyring({ signing: ['HS256'] })
  const store = redisStore({ url: redis.url })
  const sessions = openSessions({ store, keyring: await loadKeyring(content), grace: QUICK })
  cleanUp(() => sessions.close())
  const rounds = isShort ? 3 : 100
  for (let round = 0, tries = 0; round < rounds; tries++) {
    demand(tries < rounds * 20, 'no refresh reached the server without its answer')
    const { accessToken, refreshToken, session } = await login(sessions)
    const generation = async () => {
      const found = await store.sessions.read(session.sessionId)
      return found.is === 'live' ? found.record.generation : -1
    }
    const worker = await startWorker({ url: proxy.url, keyring: content, grace: QUICK })
    cleanUp(() => worker.process.kill('SIGKILL'))
    // It knows the floor now, so the refresh asks for nothing before its step. On a slow machine that has passed again.
    await worker.ask('verify', accessToken)
    proxy.pause('answers')
    worker.ask('refresh', refreshToken).catch(() => undefined)
    for (const untilMs = Date.now() + 1_500; (await generation()) === 0 && Date.now() < untilMs; ) await sleep(5)
    worker.process.kill('SIGKILL')
    proxy.cut()
    proxy.resume()
    if ((await generation()) === 0) continue
    const [one, two] = [await renewed(sessions, refreshToken), await renewed(sessions, refreshToken)]
    demand(one.refreshToken === two.refreshToken, 'two successors after a crash')
    demand(one.rotation === 'replayed' && (await generation()) === 1, `rotated again after a crash: ${one.rotation}`)
    demand((await sessions.verify(one.accessToken)).ok, 'the successor does not work')
    round++
  }
  return `${rounds} processes killed between the step and its answer, each time the same successor`
}

/** A clock that the scenario moves; random bytes and timers are real. */
function movedClock(): { runtime: Runtime; move(ms: number): void } {
  let [wallMs, monotonicMs] = [Date.now(), 0]
  return {
    runtime: { ...systemRuntime, clock: { nowMs: () => wallMs, monotonicMs: () => monotonicMs } },
    move(ms) {
      wallMs += ms
      if (ms > 0) monotonicMs += ms
    },
  }
}

/** R5. */
async function sameMillisecond(): Promise<string> {
  const { runtime, move } = movedClock()
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const sessions = openSessions({ store: memoryStore({ runtime }), keyring, grace: QUICK, runtime })
  let { refreshToken: token } = await login(sessions)
  let rotations = 0
  for (const ms of [0, 0, 1, 0, -3_600_000, 0, 1, 1, 0, -1, 2, 3_600_000, -3_600_000, 1, 0]) {
    move(ms)
    const [next, same] = await Promise.all([sessions.refresh(token), sessions.refresh(token)])
    demand(next.ok && same.ok, 'an honest refresh was refused')
    demand(next.refreshToken === same.refreshToken, 'two successors in one millisecond')
    const grown = generationOf(next.refreshToken) - generationOf(token)
    demand(grown === 0 || grown === 1, `the generation went on by ${grown}`)
    demand(grown === 1 || next.refreshToken === token, 'another token of the same generation')
    rotations += grown
    token = next.refreshToken
  }
  demand(rotations > 3, 'hardly anything rotated')
  await sessions.close()
  return `${rotations} rotations with the clock standing still and set back by an hour: generations only grow`
}

/** R6. */
async function restarts({ cleanUp }: Context): Promise<string> {
  const redis = await startRedis({ appendonly: true, appendfsync: 'always' })
  cleanUp(() => redis.stop())
  const content = generateKeyring({ signing: ['HS256'] })
  let restarted = 0
  const fresh = async <T>(step: (sessions: Library) => Promise<T>): Promise<T> => {
    const store = redisStore({ url: redis.url, deadline: '20s' })
    const sessions = openSessions({ store, keyring: await loadKeyring(content), grace: QUICK })
    try {
      // The quick grace is of the steps: on a busy machine to connect may take longer.
      await sessions.ready()
      return await step(sessions)
    } finally {
      await sessions.close()
      await redis.kill('SIGKILL')
      await redis.restart()
      restarted++
    }
  }
  const first = await fresh((sessions) => login(sessions))
  const isGood = (token: string) => fresh(async (sessions) => (await sessions.verify(token)).ok)
  demand(await isGood(first.accessToken), 'the first token is forgotten')
  const second = await fresh((sessions) => renewed(sessions, first.refreshToken))
  const replayed = await fresh((sessions) => renewed(sessions, first.refreshToken))
  demand(replayed.refreshToken === second.refreshToken, 'another successor after a restart')
  demand(await isGood(second.accessToken), 'the successor is forgotten')
  const third = await fresh((sessions) => renewed(sessions, second.refreshToken))
  demand(generationOf(third.refreshToken) === 2, 'not the next generation')
  const reused = await fresh((sessions) => sessions.refresh(first.refreshToken))
  demand(!reused.ok && reused.reason === 'reused', 'reuse of the first token is not seen')
  demand(!(await isGood(third.accessToken)), 'alive after reuse')
  return `${restarted} restarts of server and process, one between any two steps`
}

type Move = { readonly who: 0 | 1; readonly does: 'refresh' | 'use' | 'wait' | 'wait long' }

/** R8: what must hold of two holders of one token, by the table of docs/design/0003, whatever they do in which order. */
async function thiefAndVictim({ isShort, seed }: Context): Promise<string> {
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const graceMs = 10_000
  let [deaths, runs] = [0, 0]
  const play = async (moves: readonly Move[]) => {
    const { runtime, move } = movedClock()
    const sessions = openSessions({ store: memoryStore({ runtime }), keyring, runtime })
    const issued = await login(sessions)
    move(graceMs + 1)
    const held = [0, 1].map(() => ({ refresh: issued.refreshToken as string, access: issued.accessToken as string }))
    /** When the newest generation was first used, in moved time. */
    let [newest, usedAtMs, nowMs, isDead] = [0, 0 as number | undefined, 0, false]
    for (const { who, does } of moves) {
      const one = held[who]!
      const generation = generationOf(one.refresh)
      if (does === 'wait' || does === 'wait long') {
        const ms = does === 'wait' ? 3_000 : graceMs + 1
        nowMs += ms
        move(ms)
      } else if (does === 'use') {
        const checked = await sessions.verify(one.access)
        if (isDead) demand(!checked.ok, 'a dead session was accepted')
        if (checked.ok && generation === newest) usedAtMs ??= nowMs
      } else {
        const next = await sessions.refresh(one.refresh)
        const isLate = usedAtMs !== undefined && nowMs - usedAtMs > graceMs
        if (isDead) demand(!next.ok, 'a dead session was renewed')
        else if (generation <= newest - 2 || (generation === newest - 1 && isLate)) {
          demand(!next.ok && next.reason === 'reused', `generation ${generation} of ${newest} was not taken for reuse`)
          isDead = true
        } else if (next.ok) {
          const reached = generationOf(next.refreshToken)
          demand(reached === newest || reached === newest + 1, `from generation ${newest} to ${reached}`)
          // To present the newest is to use it.
          if (generation === newest) usedAtMs ??= nowMs
          if (reached > newest) [newest, usedAtMs] = [reached, undefined]
          Object.assign(one, { refresh: next.refreshToken, access: next.accessToken })
        } else demand(next.reason === 'insufficient_authentication', `refused with ${next.reason}`)
      }
    }
    runs++
    if (isDead) deaths++
    await sessions.close()
  }
  const step: fc.Arbitrary<Move> = fc.record({
    who: fc.constantFrom(0 as const, 1 as const),
    does: fc.constantFrom('refresh', 'refresh', 'use', 'wait', 'wait long'),
  })
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 24 }), play), { seed, numRuns: isShort ? 300 : 20_000 })
  demand(deaths > 0, 'no thief was ever found')
  return `${runs} interleavings of two holders, ${deaths} found out, each as the table says`
}

/** R9: three tabs whose timers fire together, with answers in every order, for a week. */
async function threeTabs({ isShort, random }: Context): Promise<string> {
  const { runtime, move } = movedClock()
  const keyring = await loadKeyring(generateKeyring({ signing: ['HS256'] }))
  const sessions = openSessions({ store: memoryStore({ runtime }), keyring, absolute: '30d', runtime })
  let stored = await login(sessions)
  const rounds = isShort ? 200 : 5_000
  for (let round = 0; round < rounds; round++) {
    move(60_000)
    const seen = stored.refreshToken
    // One tab has been asleep since it read the token, and asks when the others are done.
    const tabs = [0, 1, 2].map(async () => {
      for (let turns = random.below(4); turns > 0; turns--) await Promise.resolve()
      return renewed(sessions, seen)
    })
    const answers = await Promise.all(tabs)
    move(random.below(9_000))
    if (random.chance(2)) demand((await sessions.verify(answers[0]!.accessToken)).ok, 'logged out')
    move(random.below(900))
    answers.push(await renewed(sessions, seen))
    demand(new Set(answers.map(({ refreshToken }) => refreshToken)).size === 1, 'tabs got different tokens')
    stored = random.pick(answers)
  }
  await sessions.close()
  return `${rounds} rounds of three tabs and a late one: nobody was logged out`
}

/** R10: lives of the simulator in which a lagging replica takes over. */
async function laggingReplica({ isShort, seed }: Context): Promise<string> {
  let [lives, losses, calls] = [0, 0, 0]
  for (const wanted = isShort ? 12 : 1_000; lives < wanted; lives++) {
    const life = await live(seed + lives, { loses: true })
    const problems = [...life.violations.map(({ invariant, what }) => `${invariant} ${what}`), ...life.stuck]
    demand(problems.length === 0, () => `seed ${life.seed}: ${problems.slice(0, 3).join('; ')}`)
    losses += life.losses
    calls += life.calls
  }
  demand(losses >= lives / 2, `only ${losses} failovers`)
  return `${losses} failovers in ${lives} lives, ${calls} calls: one successor per generation, no silent fork`
}

export const rotation: readonly Row[] = [
  {
    id: 'R1',
    fault: 'N parallel refreshes in M processes',
    passes: 'one successor',
    proofs: onAll(races, '16 refreshes at once: one successor for all of them, and it works', raceSuite),
  },
  {
    id: 'R2',
    fault: 'the answer is cut off at every byte, and the client asks again',
    passes: 'the same successor',
    proofs: [scenario('an answer cut off at every byte', lostAnswers)],
  },
  {
    id: 'R3',
    fault: 'the process crashes between the step and its answer',
    passes: 'the same successor',
    proofs: [scenario('kill -9 between the step and its answer', crashBeforeTheAnswer)],
  },
  {
    id: 'R4',
    fault: 'refresh beside revoke, revoke-all and a change of the password',
    passes: 'after the acknowledgement nothing succeeds',
    proofs: [
      ...onAll(storeTests, 'refresh and end at the same time: after the end nothing works', rotateSuite),
      ...onAll(races, 'use and late logins against %s leave no live session', raceSuite),
      ...onAll(races, '50 logins held in the hash while %s commits: no session', raceSuite),
    ],
  },
  {
    id: 'R5',
    fault: 'two rotations in one millisecond, and with the clock set back by an hour',
    passes: 'generations strictly increase',
    proofs: [
      scenario('a clock that stands still and goes back', sameMillisecond),
      ...onAll(storeTests, 'row 3: also when the clock went back', rotateSuite),
    ],
  },
  {
    id: 'R6',
    fault: 'server and process are restarted between any two steps',
    passes: 'everything goes on as if nothing had been',
    proofs: [scenario('a restart of everything between the steps', restarts)],
  },
  {
    id: 'R7',
    fault: 'a garbage secret under the right id',
    passes: 'the session is untouched',
    proofs: onAll(strategyTests, 'a wrong secret under a right id has no side effect', refreshSuite),
  },
  {
    id: 'R8',
    fault: 'interleavings of a thief and the victim',
    passes:
      'once both have used the session past the grace it is dead; who only repeats an unconfirmed step is not found',
    proofs: [scenario('interleavings of thief and victim', thiefAndVictim)],
  },
  {
    id: 'R9',
    fault: 'three tabs that refresh at the same time, and one that was asleep',
    passes: 'nobody is logged out',
    proofs: [
      scenario('three tabs', threeTabs),
      tests(
        'packages/countersign/test/cache/interleavings.test.ts',
        'a shared read that is older than the token is asked again before the store is said to have lost something',
      ),
    ],
  },
  {
    id: 'R10',
    fault: 'a replica that lags takes over between the steps',
    passes: 'never two live successors: repeated, rolled back or a login, never a silent fork',
    proofs: [scenario('a lagging replica takes over', laggingReplica)],
  },
]
