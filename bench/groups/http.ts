// The groups in which servers answer requests over HTTP: each side is a process of its own, all of a group run at the
// same time, and one after the other gets all the load. After some rounds all are started anew: what the compiler of V8
// made of a program, and where it lies in memory, differs by a tenth from one start to the next.
import { readFileSync } from 'node:fs'
import { type Load, load } from '../harness/load.ts'
import { type Runtime, type Server, startServer, versionOf } from '../harness/processes.ts'
import { compare, type Measured } from '../harness/result.ts'
import { type Bench, interleave, type Measure, type Part } from '../harness/rounds.ts'
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
const ours = (variant: string): Side => ({ file: 'sides/countersign.ts', variant })
const rival = (name: string, more: Partial<Side> = {}): Side => ({ file: `rivals/${name}.ts`, ...more })

const SIDES = {
  'allowlist-cached': ours('allowlist-cached'),
  'allowlist-cached-adapter': ours('allowlist-cached-adapter'),
  opaque: ours('opaque'),
  'opaque-adapter': ours('opaque-adapter'),
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
} as const satisfies Record<string, Side>
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
  'http-hit/adapter': 'allowlist-cached',
  'http-direct/adapter': 'opaque',
  'express-hit/bare': 'express-bare',
  'express-hit/map': 'express-map',
  'express-hit/connect-redis': 'express-session',
}

const oursOf = ({ id }: Row): SideName => OURS[id] ?? 'opaque-cookie'
const rivalOf = ({ id }: Row): SideName => RIVALS[id] ?? (id.split('/')[1] as SideName)
const sidesOf = (rows: readonly Row[]): SideName[] => [...new Set(rows.flatMap((row) => [oursOf(row), rivalOf(row)]))]

const STARTING_SECONDS = 3
const WARM_UP_SECONDS = 5
const BETWEEN_SECONDS = 0.1
/** Rounds of one start. */
const ROUNDS_TOGETHER = 5

export const http = (runtime: Runtime): Measure => ({
  plannedSeconds: ({ rounds, seconds }, rows) =>
    sidesOf(rows).length *
    (Math.ceil(rounds / ROUNDS_TOGETHER) * (STARTING_SECONDS + WARM_UP_SECONDS) + rounds * (seconds + BETWEEN_SECONDS)),
  run: (bench, group) => run(bench, group, runtime),
})

async function* run(bench: Bench, group: Group, runtime: Runtime): AsyncGenerator<Measured> {
  const names = sidesOf(group.rows)
  const loads = new Map<SideName, Load[]>(names.map((name) => [name, []]))
  for (let before = 0; before < bench.rounds; before += ROUNDS_TOGETHER) {
    const rounds = Math.min(ROUNDS_TOGETHER, bench.rounds - before)
    for (const [name, more] of await runTogether(bench, group, runtime, names, { before, rounds }))
      loads.get(name)!.push(...more)
  }
  const perSecondOf = (name: SideName) => loads.get(name)!.map(({ requestsPerSecond }) => requestsPerSecond)
  const used = (name: SideName) => {
    const of = (what: (load: Load) => number) => median(loads.get(name)!.map(what))
    return `${of((load) => load.cpuMicroseconds).toFixed(1)} µs of processor time for a request (core used to ${Math.round(100 * of((load) => load.serverShare))} %)`
  }
  for (const row of group.rows) {
    const [a, b] = [oursOf(row), rivalOf(row)]
    const notes = `Node ${versionOf(runtime)}; ours ${used(a)}, rival ${used(b)}`
    yield compare(row, perSecondOf(a), perSecondOf(b), notes)
  }
}

/** Starts all sides, has some rounds of them, and ends them. */
async function runTogether(
  bench: Bench,
  group: Group,
  runtime: Runtime,
  names: readonly SideName[],
  part: Part,
): Promise<Map<SideName, Load[]>> {
  const { url: redis } = await bench.redis()
  const servers = new Map<SideName, Server>()
  const loads = new Map<SideName, Load[]>(names.map((name) => [name, []]))
  try {
    for (const name of names) {
      bench.progress.show(group.id, `starting ${name}`)
      const { file, variant = '', tuned = false }: Side = SIDES[name]
      const server = await startServer(file, { redis, sessions: SESSIONS, tuned, variant }, { runtime })
      servers.set(name, server)
      if (!(SIDES[name] as Side).asksNobody) await check(name, server)
      // Warms up: of the first load, the requests take up to twice the time that all later ones take.
      await load(server, WARM_UP_SECONDS, 0)
      bench.progress.done(STARTING_SECONDS + WARM_UP_SECONDS)
    }
    const measure = async (name: SideName, round: number) => {
      const told: Load = await load(servers.get(name)!, bench.seconds, round + 1)
      loads.get(name)!.push(told)
      return told.requestsPerSecond
    }
    await interleave(bench, group, names, measure, bench.seconds + BETWEEN_SECONDS, part)
    return loads
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
