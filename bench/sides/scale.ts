// Single calls against two Redis servers in turns, one with few sessions and one with many.
import { readFileSync } from 'node:fs'
import { createSessions } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { median, mulberry32 } from '../harness/stats.ts'
import { DATA, DEVICES, ROLES, subjectOf } from './content.ts'
import { ALLOWLIST, type KeyringFile, keyring, NO_NEAR_CACHE, SESSIONS_OPTIONS } from './sessions.ts'

export interface ToldScale {
  readonly keyring: KeyringFile
  readonly sides: readonly { readonly redis: string; readonly tokens: string; readonly sessions: number }[]
  readonly rounds: number
  readonly calls: number
}
/** A line of output: medians in microseconds, in the order of `sides`. */
export interface ScaleRound {
  readonly round: number
  readonly verify: readonly number[]
  readonly login: readonly number[]
}

const told = JSON.parse(process.argv[2]!) as ToldScale
const keys = await keyring(told.keyring)
const sides = told.sides.map(({ redis, tokens, sessions: count }) => {
  const sessions = createSessions({
    ...SESSIONS_OPTIONS,
    strategy: ALLOWLIST,
    keyring: keys,
    store: redisStore({ url: redis, deadline: '30s' }),
    ...NO_NEAR_CACHE,
  })
  return { sessions, subjects: Math.floor(count / DEVICES), tokens: readFileSync(tokens, 'utf8').split('\n') }
})
type Side = (typeof sides)[number]

for (let round = -1; round < told.rounds; round++) {
  const [verify, login]: [number[], number[]] = [[], []]
  for (let next = 0; next < sides.length; next++) {
    // Who is first turns with the round.
    const at = (Math.max(0, round) + next) % sides.length
    verify[at] = await verifyMany(sides[at]!, round)
    login[at] = await loginMany(sides[at]!, round)
  }
  if (round >= 0) console.log(JSON.stringify({ round, verify, login } satisfies ScaleRound))
}
for (const { sessions } of sides) await sessions.close()
process.exit(0)

function verifyMany({ sessions, tokens }: Side, seed: number): Promise<number> {
  const random = mulberry32(seed)
  return timed(async () => {
    const checked = await sessions.verify(tokens[Math.floor(random() * tokens.length)]!)
    if (!checked.ok) throw new Error(`refused: ${checked.reason}`)
  })
}

function loginMany({ sessions, subjects }: Side, seed: number): Promise<number> {
  const random = mulberry32(seed)
  return timed(async () => {
    const subject = subjectOf(DEVICES * Math.floor(random() * subjects))
    const issued = await sessions.issue({ subject, roles: ROLES, data: DATA })
    if (!issued.ok) throw new Error(`refused: ${issued.reason}`)
  })
}

/** Median of single calls, in microseconds. */
async function timed(call: () => Promise<void>): Promise<number> {
  const times = new Array<number>(told.calls)
  for (let at = 0; at < told.calls; at++) {
    const startedMs = performance.now()
    await call()
    times[at] = (performance.now() - startedMs) * 1_000
  }
  return median(times)
}
