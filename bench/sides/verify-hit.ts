// One process, in which the near cache, a bare `Map` and fast-jwt get the same tokens in turns. A process for each would
// compare two heaps and two states of the compiler as well.
import { setImmediate as turn } from 'node:timers/promises'
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { createVerifier } from 'fast-jwt'
import { mulberry32 } from '../harness/stats.ts'
import { AUDIENCE, ISSUER, SESSIONS, textOf } from './content.ts'
import { ALLOWLIST, issueAll, keyring, keyringFile, NEAR_CACHE, SESSIONS_OPTIONS } from './sessions.ts'

export const CONTENDERS = ['near', 'near-awaited', 'map', 'map-awaited', 'fast-jwt'] as const
export type Contender = (typeof CONTENDERS)[number]
/** A line of output. */
export interface Timed {
  readonly contender: Contender
  readonly round: number
  readonly nanoseconds: number
}
interface ToldTimes {
  readonly redis: string
  readonly rounds: number
  readonly milliseconds: number
}

/** Calls between two looks at the clock, and between two turns of the event loop, which the fences need. */
const BATCH = 2_000

if (process.argv[1]?.endsWith('verify-hit.ts')) await main(JSON.parse(process.argv[2]!) as ToldTimes)

async function main(told: ToldTimes): Promise<void> {
  const sessions = createSessions({
    ...SESSIONS_OPTIONS,
    strategy: ALLOWLIST,
    keyring: await keyring(),
    store: redisStore({ url: told.redis, prefix: `verify-hit-${process.pid}` }),
    ...NEAR_CACHE,
  })
  const tokens = await issueAll(sessions, SESSIONS)
  const bytes = tokens.map((token) => Buffer.from(token, 'latin1'))
  const map = new Map<string, { readonly ok: boolean }>()
  for (const token of tokens) map.set(token, await sessions.verify(token))
  // The first ones come before there is a line that tells of changes, and are not kept.
  for (const token of tokens) while (sessions.verifyNow(token) === undefined) await sessions.verify(token)
  const secret = Buffer.from(keyringFile().signing[0]!.k!, 'base64url')
  const fast = createVerifier({
    key: secret,
    algorithms: ['HS256'],
    allowedIss: ISSUER,
    allowedAud: AUDIENCE,
    checkTyp: 'at+jwt',
    cache: false,
  })

  /** Numbers of the tokens of one batch, the same for all contenders of a round. */
  let order = new Uint16Array(BATCH)
  // Each has a loop of its own: a shared one would call through a variable, which costs as much as a look-up.
  const batches: Readonly<Record<Contender, () => number | Promise<number>>> = {
    near() {
      let hits = 0
      for (const at of order) if (sessions.verifyNow(textOf(bytes[at]!))?.ok) hits++
      return hits
    },
    async 'near-awaited'() {
      let hits = 0
      for (const at of order) if ((await sessions.verify(textOf(bytes[at]!))).ok) hits++
      return hits
    },
    map() {
      let hits = 0
      for (const at of order) if (map.get(textOf(bytes[at]!))?.ok) hits++
      return hits
    },
    async 'map-awaited'() {
      let hits = 0
      for (const at of order) if ((await lookUp(map, textOf(bytes[at]!)))?.ok) hits++
      return hits
    },
    'fast-jwt'() {
      let hits = 0
      for (const at of order) if (fast(textOf(bytes[at]!)) !== undefined) hits++
      return hits
    },
  }

  // The first two rounds are for the compiler.
  for (let round = -2; round < told.rounds; round++) {
    const random = mulberry32(round)
    order = Uint16Array.from({ length: BATCH }, () => Math.floor(random() * SESSIONS))
    for (let next = 0; next < CONTENDERS.length; next++) {
      const contender = CONTENDERS[(Math.max(0, round) + next) % CONTENDERS.length]!
      const nanoseconds = await time(batches[contender], told.milliseconds)
      if (round >= 0) console.log(JSON.stringify({ contender, round, nanoseconds } satisfies Timed))
    }
  }
  await sessions.close()
  process.exit(0)
}

async function lookUp(map: ReadonlyMap<string, { readonly ok: boolean }>, token: string) {
  return map.get(token)
}

/** Nanoseconds per call. Turns of the event loop are not counted. */
async function time(batch: () => number | Promise<number>, milliseconds: number): Promise<number> {
  let elapsedMs = 0
  let calls = 0
  while (elapsedMs < milliseconds) {
    await turn()
    const startedMs = performance.now()
    const done = batch()
    // Awaited only where there is something to wait for: a promise would be part of the time.
    const hits = typeof done === 'number' ? done : await done
    elapsedMs += performance.now() - startedMs
    if (hits !== BATCH) throw new Error(`${BATCH - hits} of ${BATCH} calls were no hit`)
    calls += BATCH
  }
  return (elapsedMs * 1e6) / calls
}
