// The sample for nginx in front of an upstream that does nothing, with and without asking the service about each request.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../tools/test-support/free-port.ts'
import { startProxy } from '../../tools/test-support/proxies.ts'
import { runCommand, startServer as startService } from '../../tools/test-support/server-process.ts'
import { cpuSecondsOf, move, on } from '../harness/cores.ts'
import { atEnd } from '../harness/ending.ts'
import { loadInTurns } from '../harness/load.ts'
import { folder, startServer } from '../harness/processes.ts'
import { compare, type Measured } from '../harness/result.ts'
import type { Bench, Measure } from '../harness/rounds.ts'
import type { Group } from '../rows.ts'

const SESSIONS = 20
const PASSWORD = 'violet harbour teapot 91'
const STARTING_SECONDS = 8
const WARM_UP_SECONDS = 3
const BETWEEN_SECONDS = 0.8

const SIDES = ['asked', 'unasked'] as const
type SideName = (typeof SIDES)[number]

export const forwardAuth: Measure = {
  plannedSeconds: ({ rounds, seconds }) =>
    STARTING_SECONDS + SIDES.length * (WARM_UP_SECONDS + rounds * seconds) + rounds * BETWEEN_SECONDS,
  run,
}

async function* run(bench: Bench, group: Group): AsyncGenerator<Measured> {
  bench.progress.show(group.id, 'starting')
  const stops: (() => Promise<unknown>)[] = []
  const keep = <T extends { stop(): Promise<unknown> }>(started: T): T => {
    const forget = atEnd(() => started.stop())
    stops.unshift(async () => {
      forget()
      await started.stop()
    })
    return started
  }
  try {
    const upstream = await startServer('sides/upstream.ts', { redis: '', sessions: 0, tuned: false, variant: '' })
    stops.unshift(() => upstream.stop())
    const data = mkdtempSync(join(folder, 'forward-auth-'))
    stops.push(async () => rmSync(data, { recursive: true, force: true }))
    const flags = ['--data', data, '--trusted-proxy', '127.0.0.1', '--log-level', 'error']
    const service = keep(await startService(flags))
    move(service.pid, 'server')
    const headers = await logIn(service.url, data)

    const portOf = (url: string) => Number(new URL(url).port)
    const to = { countersign: portOf(service.url), shop: portOf(upstream.url), admin: portOf(upstream.url) }
    const urls = {} as Record<SideName, string>
    const proxies = {} as Record<SideName, number>
    for (const side of SIDES) {
      const own = await freePort()
      urls[side] = `http://127.0.0.1:${own}`
      const edits = {
        edit: (text: string) => atRoot(text, side),
        run: (...all: [string, readonly string[]]) => on('server', ...all),
      }
      proxies[side] = keep(await startProxy('nginx', { own, ...to }, edits)).pid
    }
    await check(urls, headers)
    const both = SIDES.map((side) => ({
      url: urls[side],
      headers,
      cpuSeconds: () => upstream.cpuSeconds() + cpuSecondsOf(service.pid) + cpuSecondsOf(proxies[side]),
    }))
    await loadInTurns(both, WARM_UP_SECONDS, 0)
    bench.progress.done(STARTING_SECONDS + SIDES.length * WARM_UP_SECONDS)
    const asked: number[] = []
    const unasked: number[] = []
    for (let round = 0; round < bench.rounds; round++) {
      bench.progress.show(group.id, `round ${round + 1} of ${bench.rounds}`)
      const [a, b] = await loadInTurns(both, bench.seconds, round + 1)
      asked.push(a!.requestsPerSecond)
      unasked.push(b!.requestsPerSecond)
      bench.progress.done(SIDES.length * bench.seconds + BETWEEN_SECONDS)
    }
    const notes = `nginx with one worker, the service on SQLite with ${SESSIONS} sessions and the upstream on Node all share one core`
    for (const row of group.rows) yield compare(row, asked, unasked, notes)
  } finally {
    for (const stop of stops) await stop()
  }
}

/** A header file for wrk. Bearer tokens: cookies would be the same to nginx, and longer. */
async function logIn(url: string, data: string): Promise<string> {
  const identifier = 'alice@example.com'
  const added = await runCommand(['users', 'add', identifier, '--data', data], `${PASSWORD}\n`)
  if (added.code !== 0) throw new Error(added.stderr)
  const lines: string[] = []
  for (let i = 0; i < SESSIONS; i++) {
    const body = JSON.stringify({ identifier, password: PASSWORD, delivery: 'bearer' })
    const headers = { 'content-type': 'application/json', origin: url }
    const answer = await fetch(`${url}/auth/login`, { method: 'POST', headers, body })
    const { accessToken } = (await answer.json()) as { accessToken: string }
    lines.push(`authorization: Bearer ${accessToken}`)
  }
  const file = join(data, 'headers')
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 })
  return file
}

/** The sample, with its upstream where wrk asks for it, without the assertion; and without the question on the other side. */
function atRoot(sample: string, side: SideName): string {
  const moved = replaced(replaced(sample, '    location / { return 404; }\n', ''), 'location /shop/ {', 'location / {')
  const plain = replaced(moved, 'set $demands "?upstream=shop";', 'set $demands "";')
  return side === 'asked' ? plain : replaced(plain, /( set \$demands "";\s*)auth_request \/_verify;/, '$1')
}

function replaced(text: string, what: string | RegExp, by: string): string {
  const changed = text.replace(what, by)
  if (changed === text) throw new Error(`the sample for nginx has no ${what}`)
  return changed
}

/** Nobody is let through on the one side, and everybody on the other. */
async function check(urls: Readonly<Record<SideName, string>>, headers: string): Promise<void> {
  const authorization = readFileSync(headers, 'utf8').split('\n', 1)[0]!.replace('authorization: ', '')
  const statusOf = async (side: SideName, more: Record<string, string>) =>
    (await fetch(urls[side], { headers: more })).status
  const got = [await statusOf('asked', { authorization }), await statusOf('asked', {}), await statusOf('unasked', {})]
  if (got.join() !== '200,401,200') throw new Error(`nginx answers ${got}`)
}
