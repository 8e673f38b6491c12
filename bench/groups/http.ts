// The groups in which servers answer requests over HTTP: each side is a process, or a path of one, and the two of a row get
// the load in turns of a tenth of a second. After some rounds all are started anew: what the compiler of V8 made of a
// program, and where it lies in memory, differs by a tenth from one start to the next.
import { readFileSync } from 'node:fs'
import { type Load, loadInTurns } from '../harness/load.ts'
import { type Runtime, type Server, startServer, versionOf } from '../harness/processes.ts'
import { compare, type Measured } from '../harness/result.ts'
import { type Bench, type Measure, rotated } from '../harness/rounds.ts'
import { median } from '../harness/stats.ts'
import type { Group, Row } from '../rows.ts'
import { SESSIONS, subjectOf } from '../sides/content.ts'

interface Side {
  readonly file: string
  readonly variant?: string
  readonly tuned?: boolean
  /** Answers everybody alike: there is nothing of its sessions to be checked. */
  readonly asksNobody?: true
}
/** Another path of a side: what the start of a process makes of its speed is the same for both. */
interface Route {
  readonly of: string
  readonly path: string
}
const ours = (variant: string): Side => ({ file: 'sides/countersign.ts', variant })
const rival = (name: string, more: Partial<Side> = {}): Side => ({ file: `rivals/${name}.ts`, ...more })

const SIDES = {
  'allowlist-cached': ours('allowlist-cached'),
  'allowlist-cached-adapter': ours('allowlist-cached-adapter'),
  'allowlist-cached-own': { of: 'allowlist-cached-adapter', path: '/own' },
  opaque: ours('opaque'),
  'opaque-adapter': ours('opaque-adapter'),
  'opaque-own': { of: 'opaque-adapter', path: '/own' },
  allowlist: ours('allowlist'),
  'opaque-cookie': ours('opaque-cookie'),
  express: { file: 'sides/express.ts' },
  map: rival('map'),
  'map-connected': rival('map', { variant: 'connected' }),
  'fast-jwt': rival('fast-jwt'),
  'fast-jwt-cache': rival('fast-jwt', { tuned: true }),
  'get-opaque': rival('get', { variant: 'opaque' }),
  'get-allowlist': rival('get', { variant: 'allowlist' }),
  'jsonwebtoken-exists': rival('jsonwebtoken-exists'),
  'jsonwebtoken-exists-tuned': rival('jsonwebtoken-exists', { tuned: true }),
  'better-auth': rival('better-auth'),
  'better-auth-tuned': rival('better-auth', { tuned: true }),
  'fastify-session': rival('fastify-session'),
  'fastify-session-tuned': rival('fastify-session', { tuned: true }),
  'express-session': rival('express-session'),
  'express-session-tuned': rival('express-session', { tuned: true }),
  'iron-session': rival('iron-session'),
  'express-bare': rival('express-bare', { asksNobody: true }),
  'express-map': rival('express-map'),
} as const satisfies Record<string, Side | Route>
type SideName = keyof typeof SIDES

/** Row → our side. */
const OURS: Readonly<Record<string, SideName>> = {
  'http-hit/map': 'allowlist-cached',
  'http-hit/map-connected': 'allowlist-cached',
  'http-hit/fast-jwt': 'allowlist-cached',
  'http-hit/fast-jwt-cache': 'allowlist-cached',
  'http-hit/adapter': 'allowlist-cached-adapter',
  'http-direct/get-opaque': 'opaque',
  'http-direct/get-allowlist': 'allowlist',
  'http-direct/jsonwebtoken-exists': 'allowlist',
  'http-direct/jsonwebtoken-exists-tuned': 'allowlist',
  'http-direct/adapter': 'opaque-adapter',
  'express-hit/bare': 'express',
  'express-hit/map': 'express',
  'express-hit/connect-redis': 'express',
}

/** Row → the other side, where the id does not end with its name. */
const RIVALS: Readonly<Record<string, SideName>> = {
  'http-hit/adapter': 'allowlist-cached-own',
  'http-direct/adapter': 'opaque-own',
  'express-hit/bare': 'express-bare',
  'express-hit/map': 'express-map',
  'express-hit/connect-redis': 'express-session',
}

const oursOf = ({ id }: Row): SideName => OURS[id] ?? 'opaque-cookie'
const rivalOf = ({ id }: Row): SideName => RIVALS[id] ?? (id.split('/')[1] as SideName)
const sideOf = (name: SideName): Side | Route => SIDES[name]
const sidesOf = (rows: readonly Row[]): SideName[] => [...new Set(rows.flatMap((row) => [oursOf(row), rivalOf(row)]))]
const processesOf = (rows: readonly Row[]): SideName[] => sidesOf(rows).filter((name) => !('of' in sideOf(name)))
/** Loads in each round. Two paths of one process differ by so little that it takes more of them to see it. */
const loadsOf = (row: Row): number => ('of' in sideOf(rivalOf(row)) ? 3 : 1)

const STARTING_SECONDS = 3
const WARM_UP_SECONDS = 4
const BETWEEN_SECONDS = 0.8

/** @param roundsOfAStart - Rounds until all are started anew: few, where the luck of a start could decide about a bar. */
export const http = (runtime: Runtime, roundsOfAStart: number): Measure => ({
  plannedSeconds: ({ rounds, seconds, quick }, rows) =>
    startsOf(rounds, quick ? rounds : roundsOfAStart) *
      (processesOf(rows).length * STARTING_SECONDS + sidesOf(rows).length * WARM_UP_SECONDS) +
    rounds * rows.reduce((sum, row) => sum + loadsOf(row), 0) * (2 * seconds + BETWEEN_SECONDS),
  run: (bench, group) => run(bench, group, runtime, bench.quick ? bench.rounds : roundsOfAStart),
})

const startsOf = (rounds: number, roundsOfAStart: number) => Math.ceil(rounds / roundsOfAStart)

/** What one row was told in each round. */
interface Told {
  readonly ours: Load[]
  readonly rival: Load[]
}

async function* run(bench: Bench, group: Group, runtime: Runtime, roundsOfAStart: number): AsyncGenerator<Measured> {
  const told = new Map<Row, Told>(group.rows.map((row) => [row, { ours: [], rival: [] }]))
  for (let round = 0; round < bench.rounds; round += roundsOfAStart)
    await runStart(bench, group, runtime, { from: round, to: Math.min(round + roundsOfAStart, bench.rounds) }, told)
  for (const [row, { ours, rival }] of told) {
    const perSecond = (loads: readonly Load[]) => loads.map(({ requestsPerSecond }) => requestsPerSecond)
    const starts = startsOf(bench.rounds, roundsOfAStart)
    const notes = `Node ${versionOf(runtime)}, started ${starts} times; ours ${used(ours)}, rival ${used(rival)}`
    yield compare(row, perSecond(ours), perSecond(rival), notes)
  }
}

function used(loads: readonly Load[]): string {
  const of = (what: (load: Load) => number) => median(loads.map(what))
  return `${of((load) => load.cpuMicroseconds).toFixed(1)} µs of processor time for a request (core used to ${Math.round(100 * of((load) => load.serverShare))} %)`
}

/** Starts all sides, has some rounds of all rows, and ends them. */
async function runStart(
  bench: Bench,
  group: Group,
  runtime: Runtime,
  { from, to }: { readonly from: number; readonly to: number },
  told: ReadonlyMap<Row, Told>,
): Promise<void> {
  const { url: redis } = await bench.redis()
  const servers = new Map<SideName, Server>()
  try {
    for (const name of processesOf(group.rows)) {
      bench.progress.show(group.id, `round ${from + 1} of ${bench.rounds}, starting ${name}`)
      const { file, variant = '', tuned = false, asksNobody } = sideOf(name) as Side
      const server = await startServer(file, { redis, sessions: SESSIONS, tuned, variant }, { runtime })
      servers.set(name, server)
      if (!asksNobody) await check(name, server)
      bench.progress.done(STARTING_SECONDS)
    }
    const targetOf = (name: SideName): Server => {
      const side = sideOf(name)
      if (!('of' in side)) return servers.get(name)!
      const server = servers.get(side.of as SideName)!
      return { ...server, url: `${server.url}${side.path}` }
    }
    const targets = sidesOf(group.rows).map(targetOf)
    // Of the first load, the requests take up to twice the time that all later ones take.
    await loadInTurns(targets, WARM_UP_SECONDS, 0)
    bench.progress.done(WARM_UP_SECONDS * targets.length)
    for (let round = from; round < to; round++) {
      // Each round begins with another row: the first one after the warm-up may be when copies are read again.
      for (const [row, { ours, rival }] of rotated([...told], round)) {
        bench.progress.show(group.id, `round ${round + 1} of ${bench.rounds}, ${row.id}`)
        for (let one = 0; one < loadsOf(row); one++) {
          const both = [targetOf(oursOf(row)), targetOf(rivalOf(row))]
          const [a, b] = await loadInTurns(both, bench.seconds, round * loadsOf(row) + one + 1)
          ours.push(a!)
          rival.push(b!)
          bench.progress.done(2 * bench.seconds + BETWEEN_SECONDS)
        }
      }
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()))
  }
}

/** A side that answers anything but its sessions, or its sessions to nobody, would win for the wrong reason. */
async function check(name: SideName, server: Server): Promise<void> {
  const [first] = readFileSync(server.headers, 'utf8').split('\n', 1)
  const [header, value] = first!.split(/: (.*)/) as [string, string]
  const right = await fetch(server.url, { headers: { [header]: value } })
  const body = await right.text()
  if (right.status !== 200 || body !== JSON.stringify({ subject: subjectOf(0) }))
    throw new Error(`${name} answers its own session with ${right.status} ${body}`)
  const at = value.length - 10
  const forged = `${value.slice(0, at)}${value[at] === 'x' ? 'y' : 'x'}${value.slice(at + 1)}`
  const wrong = await fetch(server.url, { headers: { [header]: forged } })
  await wrong.arrayBuffer()
  if (wrong.status !== 401) throw new Error(`${name} answers a forged session with ${wrong.status}`)
}
