// The price of a row: what goes over the wire, what is asked of the store, how quick it is beside a handler that checks
// nothing, and what the store keeps.
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { cpuSecondsOf } from '../../bench/harness/cores.ts'
import { type Load, loadInTurns } from '../../bench/harness/load.ts'
import { inTurns } from '../../bench/harness/rounds.ts'
import { median, quantile } from '../../bench/harness/stats.ts'
import { available, guarded, idsOf, type Report, type Tell, type Wanted } from '../ask/groups.ts'
import { LONG, type RowServers, type Run, settled, startRow } from '../ask/row-servers.ts'
import { type Finding, figure, none, skipped } from '../cell.ts'
import { missingProgram } from '../harness/places.ts'
import { type Running, startSide } from '../harness/processes.ts'
import type { Row } from '../rows.ts'
import { storeBytes } from './store-bytes.ts'

export const ROUNDS = 3
const SESSIONS = 1_000
/** Of each server in each round. */
const SECONDS = 1
/** Where only the requests count. */
const FEWER = 300
/** Requests of one round, one at a time. */
const ONE_BY_ONE = 300

/**
 * The lab promises an answer within ten minutes, and a slow machine gets a rougher one, unless somebody has said how many
 * rounds: from the first of these times on, counted from the start of the process, a row has one round, and from the
 * second on nothing that takes time is measured.
 */
const ROUGH_FROM_MS = 330_000
const OVER_FROM_MS = 480_000
const OVER = 'too slow a machine: --rounds 3 takes its time'

function roundsNow(): number {
  const now = performance.now()
  return now > OVER_FROM_MS ? 0 : now > ROUGH_FROM_MS ? 1 : ROUNDS
}

/** @param rounds - `undefined`: three, while there is time. */
export async function askPrice(
  run: Run,
  wanted: Wanted,
  rounds: number | undefined,
  report: Report,
  tell: Tell,
): Promise<void> {
  const ids = idsOf('price', wanted)
  if (ids.length === 0) return
  const rows = available(wanted.rows, ids, report)
  await guarded(rows, ids, report, async (here) => {
    const bare = await startSide('bare.ts', {}, { part: 'server' })
    for (const row of rows) {
      tell('price', row.id)
      await guarded([row], ids, here, async (told) => {
        const findings = await priceOf(run, row, bare, rounds ?? roundsNow(), new Set(ids))
        for (const question of ids) told({ row: row.id, question, ...findings[question]! })
      })
    }
    await bare.stop()
  })
}

/** In the steady state the near cache answers; who has none, or asks nothing, is the same either way. */
const hasNearCache = ({ kind, strategy, store, verifiesOnly }: Row): boolean =>
  kind === 'ours' && strategy !== 'stateless' && store !== 'memory' && !verifiesOnly

async function priceOf(
  run: Run,
  row: Row,
  bare: Running,
  rounds: number,
  ids: ReadonlySet<string>,
): Promise<Record<string, Finding>> {
  const measured: Run = { ...run, start: { ...run.start, part: 'server' } }
  const open = (nearCache: boolean) =>
    startRow(measured, row, { ...LONG, alg: row.verifiesOnly ? 'ES256' : 'HS256', nearCache }, 1)
  const isNear = hasNearCache(row) && ['calls-near', 'speed-near', 'p50', 'p99'].some((id) => ids.has(id))
  const [direct, near] = await settled([open(false), ...(isNear ? [open(true)] : [])])
  if (!direct) throw new Error('not started')
  try {
    const filled = await fill(run, row, direct)
    const bytes = median(filled.tokens.map(({ length }) => length))
    const nearTokens = near && (await tokensOf(near, FEWER))
    const findings: Record<string, Finding> = {
      bytes: figure(String(bytes), bytes),
      memory: filled.memory,
      calls: await calls(direct, filled.tokens),
      'calls-near': near ? await calls(near, nearTokens!) : none('no near cache'),
    }
    const why = rounds === 0 ? OVER : missingProgram('wrk')
    const sides = {
      direct: speedSide(run, direct, filled.tokens, 'direct'),
      ...(near && { near: speedSide(run, near, nearTokens!, 'near') }),
      bare: speedSide(run, { processes: [bare] }, filled.tokens.slice(0, 10), 'bare'),
    }
    if (why !== undefined) for (const id of ['speed', 'speed-near']) findings[id] = skipped(why)
    else if (ids.has('speed') || ids.has('speed-near')) Object.assign(findings, await speed(sides, rounds))
    if (!near) findings['speed-near'] = none('no near cache')
    if (rounds === 0) for (const id of ['p50', 'p99']) findings[id] = skipped(OVER)
    else if (ids.has('p50') || ids.has('p99')) Object.assign(findings, await oneByOne(sides, rounds))
    return findings
  } finally {
    await Promise.all([direct.stop(), near?.stop()])
  }
}

async function tokensOf({ issuer }: RowServers, count = SESSIONS): Promise<readonly string[]> {
  return (await issuer.post('/fill', { count }, '', 120_000)).body.tokens!
}

async function fill(run: Run, row: Row, servers: RowServers) {
  const before = await storeBytes(run, row, servers)
  const tokens = await tokensOf(servers)
  const after = await storeBytes(run, row, servers)
  const isKept = before !== undefined && after !== undefined && !row.verifiesOnly
  const each = isKept ? Math.max(0, (after - before) / SESSIONS) : 0
  const memory = isKept ? figure(String(Math.round(each)), each) : none('keeps nothing')
  // The key of everybody holds the last one only.
  return { tokens: row.oneAtATime ? tokens.slice(-1) : tokens, memory }
}

/** Writes that nobody waits for, and what is asked for the whole process a few times a second. */
const NOT_OF_REQUEST = /\.(?:touch|floor|sweep)$/

/** Each token once, so that all is known, and then counted. */
async function calls({ checkers, row }: RowServers, tokens: readonly string[]): Promise<Finding> {
  const [checker] = checkers
  const some = tokens.slice(0, 100)
  const all = async () => {
    for (const token of some) await checker!.get('/', token)
  }
  await all()
  const before = (await checker!.get('/calls')).body.calls!
  await all()
  const after = (await checker!.get('/calls')).body.calls!
  const counted = Object.entries(after).map(([name, times]) => [name, times - (before[name] ?? 0)] as const)
  const asked = counted.filter(([name]) => !NOT_OF_REQUEST.test(name)).reduce((sum, [, times]) => sum + times, 0)
  const seen = counted.filter(([, times]) => times > 0).map(([name, times]) => `${times} ${name}`)
  const value = asked / some.length
  return figure(
    value.toFixed(value % 1 === 0 ? 0 : 2),
    value,
    `${some.length} requests: ${seen.join(', ') || 'nothing'} (${row.store})`,
  )
}

interface Side {
  readonly url: string
  readonly pid: number
  readonly headers: string
  readonly tokens: readonly string[]
}

function speedSide(
  run: Run,
  { processes }: Pick<RowServers, 'processes'>,
  tokens: readonly string[],
  name: string,
): Side {
  const { url, pid } = processes.at(-1)!
  const headers = join(run.places.folder, `${name}-${pid}`)
  writeFileSync(headers, `${tokens.map((token) => `authorization: Bearer ${token}`).join('\n')}\n`, { mode: 0o600 })
  return { url, pid, headers, tokens }
}

async function speed(sides: Readonly<Record<string, Side>>, rounds: number): Promise<Record<string, Finding>> {
  const names = Object.keys(sides)
  const targets = names.map((name) => ({ ...sides[name]!, cpuSeconds: () => cpuSecondsOf(sides[name]!.pid) }))
  const loads = new Map<string, Load[]>(names.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [at, one] of (await loadInTurns(targets, SECONDS, round)).entries()) loads.get(names[at]!)!.push(one)
  }
  const part = (name: string): Finding => {
    const rounds = loads.get(name)!.map((ours, round) => ({ ours, bare: loads.get('bare')![round]! }))
    const ratio = median(rounds.map(({ ours, bare }) => ours.requestsPerSecond / bare.requestsPerSecond))
    const processor = median(rounds.map(({ ours, bare }) => ours.cpuMicroseconds / bare.cpuMicroseconds))
    const perSecond = (side: 'ours' | 'bare') => Math.round(median(rounds.map((both) => both[side].requestsPerSecond)))
    const seen = `${perSecond('ours')} of ${perSecond('bare')} requests/s, ${rounds.length} rounds; processor time of the server for a request: ${processor.toFixed(2)} times that of the bare handler`
    return figure(ratio.toFixed(2), ratio, seen)
  }
  return { speed: part('direct'), ...(sides.near && { 'speed-near': part('near') }) }
}

/** One connection, one request after the other, of the row as it is by default. */
async function oneByOne({ bare, direct, near }: Readonly<Record<string, Side>>, rounds: number) {
  const sides = { ours: near ?? direct!, bare: bare! }
  const times = await inTurns(['ours', 'bare'], rounds, (name) => latencies(sides[name]))
  const findings: Record<string, Finding> = {}
  for (const [id, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    const [ours, of] = [times.ours, times.bare].map((each) => each.map((round) => quantile(round, share)))
    const ratio = median(ours!.map((value, round) => value / of![round]!))
    const seen = `${median(ours!).toFixed(2)} ms of ${median(of!).toFixed(2)} ms for the bare handler`
    findings[id] = figure(ratio.toFixed(2), ratio, seen)
  }
  return findings
}

async function latencies({ url, tokens }: Side): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const all: number[] = []
  for (let at = 0; at < ONE_BY_ONE; at++) {
    const startMs = performance.now()
    await new Promise<void>((resolve, reject) => {
      get(url, { agent, headers: { authorization: `Bearer ${tokens[at % tokens.length]}` } }, (answer) => {
        answer.resume().once('end', resolve)
      }).once('error', reject)
    })
    all.push(performance.now() - startMs)
  }
  agent.destroy()
  return all.slice(ONE_BY_ONE / 10)
}
