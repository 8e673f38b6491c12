// Two releases on one store, forward and back: N−1, both, N, both, N−1. Every node is replaced while the load goes on, and each
// release writes what the other has to read. Nobody is logged out, no call fails, and nothing of what N added is lost.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyring } from 'countersign'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { count } from '../../../../tools/test-support/counts.ts'
import { startPostgres } from '../../../../tools/test-support/postgres-server.ts'
import { startRedis } from '../../../../tools/test-support/redis-server.ts'
import { startLoad } from './load.ts'
import type { NodeSetup } from './node.ts'
import { Fleet, type FleetNode, startNode } from './nodes.ts'
import { writeRelease } from './release.ts'
import { FORGETFUL, NEXT, OTHER_MAJOR, PREVIOUS } from './releases.ts'

const PEOPLE = count(6, 30)
const NEWCOMERS = 2
const ROUNDS = count(2, 40)
/** Processes start slowly on a machine that does other things too. */
const SLOW = { timeout: 900_000 }

const folder = mkdtempSync(join(tmpdir(), 'countersign-mixed-'))
const keys = join(folder, 'keys.json')
let previous: ReturnType<typeof writeRelease>
let next: ReturnType<typeof writeRelease>
let otherMajor: ReturnType<typeof writeRelease>
let forgetful: ReturnType<typeof writeRelease>
beforeAll(() => {
  writeFileSync(keys, JSON.stringify(generateKeyring()))
  previous = writeRelease(PREVIOUS)
  next = writeRelease(NEXT)
  otherMajor = writeRelease(OTHER_MAJOR)
  forgetful = writeRelease(FORGETFUL)
})
afterAll(() => {
  for (const release of [previous, next, otherMajor, forgetful]) release?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

type StoreSetup = NodeSetup['store']
const STORES: readonly { name: string; strategy: NodeSetup['strategy']; open(): Promise<StoreSetup> }[] = [
  {
    name: 'redis',
    strategy: 'allowlist',
    async open() {
      const server = await startRedis()
      onTestFinished(() => server.stop())
      return { kind: 'redis', url: server.url }
    },
  },
  {
    name: 'sqlite',
    strategy: 'denylist',
    open: async () => ({ kind: 'sqlite', file: join(folder, 'sessions.db') }),
  },
  {
    name: 'postgres',
    strategy: 'allowlist',
    async open() {
      const server = await startPostgres()
      onTestFinished(() => server.stop())
      return { kind: 'postgres', url: server.url }
    },
  },
]

describe.each(STORES)('N−1 and N on $name', ({ strategy, open }) => {
  test('forward and back: nobody is logged out, no call fails, nothing is lost', SLOW, async () => {
    const common = { store: await open(), strategy, alg: ['HS256'], keys } as const
    const of = (release: { url: string }): NodeSetup => ({ ...common, release: release.url })
    const fleet = await Fleet.of([of(previous), of(previous), of(previous)])
    onTestFinished(() => fleet.stop())
    const load = await startLoad(fleet, PEOPLE, { stepUps: true })
    await load.rounds(ROUNDS)
    const newcomers = []
    for (const release of [next, previous]) {
      for (let node = 0; node < fleet.size; node++) {
        await fleet.replace(node, of(release))
        await load.rounds(ROUNDS)
        newcomers.push(...(await load.join(NEWCOMERS)))
        await load.rounds(ROUNDS)
      }
      const before = new Map(load.people.map((person) => [person, person.rotations]))
      await load.until('a rotation for all', (person) => person.rotations > before.get(person)!)
      expect(load.failures).toEqual([])
    }
    await load.stop()
    expect(load.failures).toEqual([])

    // N looks once more at what has been in the hands of N−1 since.
    const reader = await startNode(of(next))
    onTestFinished(() => reader.stop())
    const probes = []
    for (const { sessionId, subject, added } of load.people) {
      const read = await reader.ask('read', { id: sessionId })
      expect(read).toMatchObject({ ok: { count: added } })
      if ('ok' in read && read.ok.probe !== undefined) probes.push([subject, read.ok.probe])
    }
    // Everybody was there while only N was running, and was rotated by it, but those who came on the way back.
    expect(probes.length).toBeGreaterThanOrEqual(PEOPLE + 3 * NEWCOMERS)
    for (const [subject, probe] of probes) expect(probe).toBe(subject)
    const { done } = load
    expect(done.get('stepUp')).toBeGreaterThan(0)
    console.log(
      `        ${[...done].map(([call, times]) => `${times} ${call}`).join(', ')}; ${newcomers.length} newcomers`,
    )
  })
})

/** Two nodes of two releases on one Redis. */
async function pair(one: { url: string }, other: { url: string }) {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const common = { store: { kind: 'redis', url: server.url }, strategy: 'allowlist', alg: ['HS256'], keys } as const
  const nodes = await Promise.all([one, other].map(({ url }) => startNode({ ...common, release: url })))
  onTestFinished(async () => void (await Promise.all(nodes.map((node) => node.stop()))))
  return [nodes[0]!, nodes[1]!] as const
}

const issueAt = async (node: FleetNode) => {
  const issued = await node.ask('issue', { subject: 'ada' })
  if (!('ok' in issued)) throw new Error(JSON.stringify(issued))
  return issued.ok
}

test(
  'a release that writes another major at once: faults that name both formats, and still no logout',
  SLOW,
  async () => {
    const [older, newer] = await pair(previous, otherMajor)
    const { accessToken, refreshToken, sessionId } = await issueAt(newer)
    const fault = {
      fault: 'ERR_FORMAT_UNKNOWN',
      message: expect.stringMatching(/^a (?:session record|value) in Redis has format 2\.0, .*; this one reads 1\.x$/),
    }
    expect(await older.ask('verify', { token: accessToken })).toEqual(fault)
    expect(await older.ask('refresh', { token: refreshToken })).toEqual(fault)
    expect(await older.ask('add', { id: sessionId })).toEqual(fault)
    expect(await older.ask('stepUp', { id: sessionId })).toEqual(fault)
    // It was left as it is.
    expect(await newer.ask('verify', { token: accessToken })).toEqual({ ok: { subject: 'ada' } })
    expect(await newer.ask('add', { id: sessionId })).toEqual({ ok: { count: 1 } })
    expect(await newer.ask('refresh', { token: refreshToken })).toHaveProperty('ok')
  },
)

test('a release that does not write back what it does not know loses it, and the probe shows it', SLOW, async () => {
  const [older, newer] = await pair(forgetful, next)
  const { sessionId } = await issueAt(newer)
  expect(await newer.ask('read', { id: sessionId })).toEqual({ ok: { count: 0, probe: 'ada' } })
  expect(await older.ask('add', { id: sessionId })).toEqual({ ok: { count: 1 } })
  expect(await newer.ask('read', { id: sessionId })).toEqual({ ok: { count: 1 } })
})
