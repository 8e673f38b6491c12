// `npm run bench:verify`: how long one verification takes without any cache, side by side in one run. Rounds are
// interleaved and their order turns, so that a slower machine half-way slows all alike; compared are ratios within a
// round, and of these the median.
//   --rounds 25       at least 5
//   --milliseconds 50    per contender and round
//   --json
// Ends with 1 when HS256 takes longer than fast-jwt.
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { createSessions, generateKeyring, loadKeyring, type SigningAlg, stateless } from 'countersign'
import { keysOf, loadKeyring as loadPrivately } from '../../packages/countersign/src/tokens/keyring.ts'
import { signatureOf } from '../../packages/countersign/src/tokens/signatures.ts'
import { AUDIENCE, type Contender, contenders, ISSUER, TYP } from './contenders.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '25' },
    milliseconds: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const milliseconds = Number(values.milliseconds)
if (!(rounds >= 5) || !(milliseconds >= 10)) throw new Error('at least 5 rounds of 10 ms')

interface Row {
  readonly alg: SigningAlg
  readonly name: string
  readonly microseconds: number
  /** This contender's time ÷ ours. */
  readonly timesOurs: number
}

const algs = ['HS256', 'ES256', 'Ed25519'] as const
const file = generateKeyring({ signing: algs })
const keyring = await loadKeyring(file)
const edKey = keysOf(await loadPrivately(file)).signWith('Ed25519')!
const rows: Row[] = []
let ratio = Number.NaN
for (const alg of algs) {
  const all = contenders(alg, file, keyring)
  const token = await tokenOf(alg)
  const times = await race(all, (contender) =>
    contender.name === 'fast-jwt' && alg === 'Ed25519' ? renamed(token) : token,
  )
  const ours = times.get('countersign')!
  for (const { name } of all) {
    const theirs = times.get(name)!
    const timesOurs = median(theirs.map((time, round) => time / ours[round]!))
    rows.push({ alg, name, microseconds: median(theirs), timesOurs })
    if (alg === 'HS256' && name === 'fast-jwt') ratio = median(ours.map((time, round) => time / theirs[round]!))
  }
}
report()
process.exitCode = ratio <= 1 ? 0 : 1

/** An access token as the library issues it. */
async function tokenOf(alg: SigningAlg): Promise<string> {
  const sessions = createSessions({
    strategy: stateless({ issuer: ISSUER, audience: AUDIENCE, alg, refresh: false }),
    keyring,
    timeouts: 'aal1',
    roles: ['user'],
  })
  const issued = await sessions.issue({ subject: 'user:01', roles: ['user'], amr: ['pwd'] })
  if (!issued.ok) throw new Error(issued.reason)
  return issued.accessToken
}

/** The same claims and key, under the name that fast-jwt knows. */
function renamed(token: string): string {
  const header = Buffer.from(JSON.stringify({ alg: 'EdDSA', kid: edKey.kid, typ: TYP })).toString('base64url')
  const input = `${header}.${token.split('.')[1]}`
  return `${input}.${signatureOf('Ed25519', edKey.signWith, input).toString('base64url')}`
}

async function race(all: readonly Contender[], tokenFor: (contender: Contender) => string) {
  const times = new Map(all.map(({ name }) => [name, [] as number[]]))
  for (const contender of all) await measure(contender, tokenFor(contender), milliseconds)
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      const contender = all[(round + turn) % all.length]!
      times.get(contender.name)!.push(await measure(contender, tokenFor(contender), milliseconds))
    }
  }
  return times
}

/** Microseconds per verification. A synchronous contender is not awaited: a promise would be part of its time. */
async function measure({ verify }: Contender, token: string, forMs: number): Promise<number> {
  const startedMs = performance.now()
  const asynchronous = verify(token) instanceof Promise
  let done = 0
  let elapsedMs = 0
  do {
    if (asynchronous) for (let one = 0; one < 50; one++) await verify(token)
    else for (let one = 0; one < 50; one++) verify(token)
    done += 50
    elapsedMs = performance.now() - startedMs
  } while (elapsedMs < forMs)
  return (elapsedMs / done) * 1_000
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)]!
}

function report(): void {
  const about = { node: process.version, cpu: cpus()[0]?.model ?? 'unknown', rounds, milliseconds }
  if (values.json) {
    console.log(JSON.stringify({ ...about, hs256OursToFastJwt: ratio, rows }))
    return
  }
  console.log(`Node ${about.node}, ${about.cpu}, ${rounds} rounds of ${milliseconds} ms, medians\n`)
  console.log('| Algorithm | Library | µs per verification | × ours |\n| --- | --- | --- | --- |')
  for (const { alg, name, microseconds, timesOurs } of rows) {
    console.log(`| ${alg} | ${name} | ${microseconds.toFixed(2)} | ${timesOurs.toFixed(2)} |`)
  }
  console.log(`\nHS256, ours ÷ fast-jwt: ${ratio.toFixed(3)} (at most 1)`)
}
