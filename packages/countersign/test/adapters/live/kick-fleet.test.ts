// Must show 4: connections over several processes, ended by yet another one. `COUNTERSIGN_LONG=1`: 1 000 over four.
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateKeyring } from 'countersign'
import { COOKIE_NAMES } from 'countersign/http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { count, isLong } from '../../../../../tools/test-support/counts.ts'
import { startPostgres } from '../../../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../../../tools/test-support/redis-server.ts'
import { say } from '../../support/say.ts'
import { type ChildSetup, openSessions } from './kick-child.ts'
import { ORIGIN, SOON } from './kit.ts'

const PROCESSES = count(2, 4)
/** Subjects with a session on each process, and one with many. */
const SMALL = count(20, 100)
const KICKED = count(6, 99)
const BIG = count(10, 100)
/** Connections: 100 in all, or 1 000. */
const PER_SESSION = 2
const PROMISED_MS = 50
/** What is promised holds for a machine on which a ping does not take that long. */
const BUSY_MS = 20
const MAX_TOMBSTONES = 64

interface Kicked {
  readonly subject: string
  readonly id: any
  readonly refreshToken: string
  readonly socket: WebSocket
  closedAtMs: number
  closedAs: string
}

async function stores(kind: ChildSetup['store']['kind']): Promise<ChildSetup['store']> {
  if (kind === 'sqlite') {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-kick-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    return { kind, at: join(folder, 'sessions.db') }
  }
  const server = kind === 'redis' ? await startRedis({ policy: 'noeviction' }) : await startPostgres()
  onTestFinished(() => server.stop())
  return { kind, at: server.url }
}

test.each(['redis', 'postgres', 'sqlite'] as const)('connections over processes on %s', async (kind) => {
  const setup: ChildSetup = { store: await stores(kind), keyring: generateKeyring(), origin: ORIGIN }
  const { sessions, store } = await openSessions(setup)
  onTestFinished(() => sessions.close())
  const children = await Promise.all(Array.from({ length: PROCESSES }, () => startChild(setup)))

  const all: Kicked[] = []
  const connect = async (port: number, subject: string) => {
    const issued = await sessions.issue({ subject, roles: ['user'], data: { n: 0 } })
    if (!issued.ok) throw new Error(issued.reason)
    const { accessToken, refreshToken, session } = issued
    const headers = { origin: ORIGIN, cookie: `${COOKIE_NAMES.access}=${accessToken}` }
    for (let n = 0; n < PER_SESSION; n++) {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`, { headers })
      onTestFinished(() => socket.terminate())
      const one: Kicked = { subject, id: session.sessionId, refreshToken, socket, closedAtMs: 0, closedAs: '' }
      socket.once('close', (code, reason) => {
        one.closedAtMs = performance.now()
        one.closedAs = `${code} ${reason}`
      })
      await new Promise((resolve, reject) => {
        socket.once('open', resolve)
        socket.once('error', reject)
      })
      socket.on('error', () => undefined)
      all.push(one)
    }
  }
  for (let n = 0; n < SMALL; n++) await Promise.all(children.map(({ port }) => connect(port, `small-${n}`)))
  for (let n = 0; n < BIG / PROCESSES; n++) await Promise.all(children.map(({ port }) => connect(port, 'big')))
  const total = SMALL * PROCESSES * PER_SESSION + BIG * PER_SESSION
  expect(all).toHaveLength(total)
  expect((await ask(children)).open).toBe(total)
  const closed = () => all.filter(({ closedAs }) => closedAs !== '')

  // A rotation of each session closes none.
  await new Promise((resolve) => setTimeout(resolve, 1_050))
  for (const { refreshToken } of onePerSession(all))
    expect(await sessions.refresh(refreshToken)).toMatchObject({ ok: true, rotation: 'rotated' })
  expect(closed()).toEqual([])

  /** What a ping and its pong take at the same time, on the same sockets: what the machine adds. */
  let noise: number[] = []
  let acknowledgedAtMs = 0
  const kick = async (subject: string) => {
    const theirs = all.filter((one) => one.subject === subject)
    // A use by another node between connect and revoke.
    for (const { id } of onePerSession(theirs)) {
      const nowMs = store.lifecycle.nowMs()
      await store.sessions.touch(id, { idleAtMs: nowMs + 7_200_000 }, nowMs)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
    noise.push(...(await pingAll(theirs)))
    const before = closed().length
    expect(await sessions.revokeAll(subject, { reason: 'banned' })).toMatchObject({
      ended: theirs.length / PER_SESSION,
    })
    const acknowledgedMs = performance.now()
    acknowledgedAtMs = performance.timeOrigin + acknowledgedMs
    await vi.waitFor(() => expect(theirs.every(({ closedAs }) => closedAs !== '')).toBe(true), SOON)
    expect(closed()).toHaveLength(before + theirs.length)
    // A store remembers why 64 sessions of a subject ended. Of the others it knows only that they are not there.
    const reasons = new Set(theirs.map(({ closedAs }) => closedAs))
    expect([...reasons].sort()).toEqual(
      theirs.length / PER_SESSION > MAX_TOMBSTONES ? ['4401 banned', '4401 unknown'] : ['4401 banned'],
    )
    return theirs.map(({ closedAtMs }) => Math.max(0, closedAtMs - acknowledgedMs))
  }
  say(`${kind}: ${total} connections over ${PROCESSES} processes`)
  const report = (what: string, delays: readonly number[]) => {
    say(`  ${what}: ${figures(delays)}; pings at the same time: ${figures(noise)}`)
    if (isLong && kind === 'redis') {
      const pingMs = percentile(noise, 0.99)
      if (pingMs > BUSY_MS) say('  too busy to tell whether that is what was promised')
      else expect(percentile(delays, 0.99)).toBeLessThanOrEqual(PROMISED_MS + pingMs)
    }
    noise = []
  }
  const delays: number[] = []
  for (let n = 0; n < KICKED; n++) delays.push(...(await kick(`small-${n}`)))
  report(`${KICKED} × revokeAll of ${PROCESSES} sessions`, delays)
  await ask(children)
  const big = await kick('big')
  const { open, endedAtMs, resets } = await ask(children)
  expect(endedAtMs).toHaveLength(big.length)
  if (resets > 0) say(`  ${resets} copies were lost with their line`)
  // One process plays all the clients, which takes longer than to tell them.
  say(`  revokeAll of ${BIG} sessions with ${big.length} connections, as the clients saw it: ${figures(big)}`)
  report(
    'the same, until no message was heard any more',
    endedAtMs.map((ms) => Math.max(0, ms - acknowledgedAtMs)),
  )
  expect(open).toBe((SMALL - KICKED) * PROCESSES * PER_SESSION)

  // Processes that end say so.
  for (const { child } of children) child.disconnect()
  await vi.waitFor(() => expect(closed()).toHaveLength(total), SOON)
  expect(all.filter(({ subject }) => subject === `small-${SMALL - 1}`).map(({ closedAs }) => closedAs)).toEqual(
    Array(PROCESSES * PER_SESSION).fill('1001 shutdown'),
  )
  const exits = await Promise.all(children.map(({ exited }) => exited))
  expect(exits).toEqual(children.map(() => 0))
})

async function pingAll(all: readonly Kicked[]): Promise<number[]> {
  const startedMs = performance.now()
  const pongs = all.map(
    ({ socket }) =>
      new Promise<number>((resolve) => {
        socket.once('pong', () => resolve(performance.now() - startedMs))
        socket.ping()
      }),
  )
  return Promise.all(pongs)
}

const onePerSession = (all: readonly Kicked[]) => [...new Map(all.map((one) => [one.id, one])).values()]

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!
}
function figures(ms: readonly number[]): string {
  const [p50, p99, most] = [percentile(ms, 0.5), percentile(ms, 0.99), Math.max(...ms)]
  return `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, longest ${most.toFixed(1)} ms`
}

interface Child {
  readonly child: ChildProcess
  readonly port: number
  readonly exited: Promise<number | null>
}

function startChild(setup: ChildSetup): Promise<Child> {
  const child = fork(fileURLToPath(new URL('./kick-child.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, KICK_CHILD: JSON.stringify(setup) },
  })
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  onTestFinished(() => {
    if (child.connected) child.disconnect()
    return exited.then(() => undefined)
  })
  return new Promise((resolve, reject) => {
    child.once('message', ({ port }: any) => resolve({ child, port, exited }))
    child.once('error', reject)
    exited.then((code) => reject(new Error(`a process ended with ${code} before it was ready`)))
  })
}

interface Answer {
  readonly open: number
  readonly endedAtMs: readonly number[]
  /** Copies that were lost with the line that they came by. */
  readonly resets: number
}

/** What the processes say: how many connections are open, and when those that are not were ended since the last time. */
async function ask(children: readonly Child[]): Promise<Answer> {
  const answers = await Promise.all(
    children.map(
      ({ child }) =>
        new Promise<Answer>((resolve) => {
          child.once('message', (answer: any) => resolve(answer))
          child.send('health')
        }),
    ),
  )
  return {
    open: answers.reduce((sum, { open }) => sum + open, 0),
    endedAtMs: answers.flatMap(({ endedAtMs }) => endedAtMs),
    resets: answers.reduce((sum, { resets }) => sum + resets, 0),
  }
}
