// Must show 4, in small: what one node ends is closed on another one, on every store, and nothing else is.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyring, type Keyring, loadKeyring, type Runtime } from 'countersign'
import type { Store } from 'countersign/stores/contract'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { guardUpgrades } from 'countersign/ws'
import { createClient } from 'redis'
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocketServer } from 'ws'
import { count, isLong } from '../../../../../tools/test-support/counts.ts'
import { startPostgres } from '../../../../../tools/test-support/postgres-server.ts'
import { startRedisCluster } from '../../../../../tools/test-support/redis-cluster.ts'
import { startRedis } from '../../../../../tools/test-support/redis-server.ts'
import { EVERY_STORE } from '../../support/every-store.ts'
import { connectWs, cookie, listen, ORIGIN, openProcess, type Process, racingRuntime, SOON } from './kit.ts'

let keyring: Keyring
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
})

/** A node with a server for sockets. */
async function node(store: Store, more: Parameters<typeof openProcess>[0] = {}) {
  const app = await openProcess({ store, keyring, ...more })
  const { url, server } = await listen()
  const wss = new WebSocketServer({ noServer: true })
  onTestFinished(() => wss.close())
  server.on('upgrade', guardUpgrades(wss, { live: app.live, origins: [ORIGIN], onConnection: () => {} }))
  return { ...app, url }
}

interface Connected {
  readonly subject: string
  readonly id: any
  readonly refreshToken: string
  closedAs: string | undefined
  closedAtMs: number
}

/** Logs in on `there` and connects to `here`: `sessions` sessions for each subject, two connections for each session. */
async function connectAll(here: Process & { url: string }, there: Process, subjects: string[], sessions = 2) {
  const all: Connected[] = []
  for (const subject of subjects) {
    for (let n = 0; n < sessions; n++) {
      const { accessToken, refreshToken, id } = await there.login(subject)
      for (let m = 0; m < 2; m++) {
        const client = await connectWs(here.url, { origin: ORIGIN, ...cookie(accessToken) })
        if (!client.ok) throw new Error(`refused: ${client.status}`)
        const one: Connected = { subject, id, refreshToken, closedAs: undefined, closedAtMs: 0 }
        void client.closed.then(({ code, reason }) => {
          one.closedAs = `${code} ${reason}`
          one.closedAtMs = performance.now()
        })
        all.push(one)
      }
    }
  }
  return all
}
const closed = (all: readonly Connected[]) => all.filter(({ closedAs }) => closedAs !== undefined)

describe.each(EVERY_STORE)('$name', ({ name, open }) => {
  test('revokeAll on another node closes exactly the right ones, also after that node has touched them', async () => {
    const opened = await open()
    onTestFinished(() => opened.dispose())
    const [here, there] = [await node(opened.store), await openProcess({ store: opened.another(), keyring })]
    const subjects = ['a', 'b', 'c', 'd', 'e']
    const all = await connectAll(here, there, subjects)
    expect(here.live.size).toBe(20)

    // A use and a rotation of every session, by the other node: each is a change, and closes none.
    await new Promise((resolve) => setTimeout(resolve, 1_050))
    for (const { id, refreshToken } of all.filter((_, n) => n % 2 === 0)) {
      const nowMs = there.store.lifecycle.nowMs()
      await there.store.sessions.touch(id, { idleAtMs: nowMs + 1_000_000_000 }, nowMs)
      expect(await there.sessions.refresh(refreshToken)).toMatchObject({ ok: true, rotation: 'rotated' })
    }
    expect(closed(all)).toEqual([])

    for (const subject of subjects.slice(0, 3)) {
      const before = closed(all).length
      await there.sessions.revokeAll(subject, { reason: 'banned' })
      const acknowledgedMs = performance.now()
      const theirs = all.filter((one) => one.subject === subject)
      await vi.waitFor(() => expect(closed(theirs)).toHaveLength(4), SOON)
      expect(new Set(theirs.map(({ closedAs }) => closedAs))).toEqual(new Set(['4401 banned']))
      expect(closed(all)).toHaveLength(before + 4)
      // 20 s: what a machine that is held up may add to a second.
      for (const { closedAtMs } of theirs) expect(closedAtMs - acknowledgedMs).toBeLessThan(20_000)
    }
    // One session, by the node that has the sockets.
    const [one] = all.filter(({ subject }) => subject === 'd')
    await here.sessions.revoke(one!.id, { reason: 'logout' })
    await vi.waitFor(() => expect(closed(all)).toHaveLength(14), SOON)
    expect(here.live.size).toBe(6)
    if (name === 'memory') return
    // And everybody.
    await there.sessions.revokeEveryone({ reason: 'admin' })
    await vi.waitFor(() => expect(closed(all)).toHaveLength(20), SOON)
  })
})

test('a server that forgets whom it tells: closed within the bound, and not asked without end', async () => {
  const redis = await startRedis({ policy: 'noeviction' })
  onTestFinished(() => redis.stop())
  const raw = createClient({ url: redis.url })
  await raw.connect()
  onTestFinished(() => raw.destroy())
  await raw.sendCommand(['CONFIG', 'SET', 'tracking-table-max-keys', '1'])
  const [here, there] = [
    await node(redisStore({ url: redis.url })),
    await openProcess({ store: redisStore({ url: redis.url }), keyring }),
  ]
  const all = await connectAll(here, there, ['a', 'b', 'c', 'd'], 5)
  expect(here.live.size).toBe(40)
  // Until the pauses have grown.
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  await raw.sendCommand(['CONFIG', 'RESETSTAT'])
  const startedMs = performance.now()
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  const gets = Number(/cmdstat_get:calls=(\d+)/.exec(String(await raw.sendCommand(['INFO', 'commandstats'])))?.[1] ?? 0)
  const perSecond = (gets * 1_000) / (performance.now() - startedMs)
  // 20 sessions, each once a second and no more, with some room for what begins and ends in between.
  expect(perSecond).toBeLessThan(40)
  // Fewer, and the table would not overflow.
  expect(perSecond).toBeGreaterThan(5)
  await there.sessions.revokeAll('b', { reason: 'logout' })
  const acknowledgedMs = performance.now()
  await vi.waitFor(() => expect(closed(all)).toHaveLength(10), SOON)
  expect(closed(all).every(({ subject }) => subject === 'b')).toBe(true)
  for (const { closedAtMs } of closed(all)) expect(closedAtMs - acknowledgedMs).toBeLessThan(20_000)
})

// Starting a cluster takes longer than everything else here.
test.skipIf(!isLong)('a cluster whose slot moves [skipped: only in the long form]', async () => {
  const cluster = await startRedisCluster({ replicas: 0 })
  onTestFinished(() => cluster.stop())
  const open = () => redisStore({ nodes: cluster.urls.slice(0, 2), deadline: '20s' })
  const [here, there] = [await node(open()), await openProcess({ store: open(), keyring })]
  const all = await connectAll(here, there, ['a', 'b', 'c', 'd', 'e', 'f'])
  for (const subject of ['a', 'c', 'e']) {
    const { id } = all.find((one) => one.subject === subject)!
    const slot = await cluster.slotOf(`cs:{${id.slice(0, 12)}}:u`)
    const from = await cluster.ownerOf(slot)
    const before = closed(all).length
    await cluster.moveSlot(slot, cluster.nodes.find((one) => one !== from)!)
    await there.sessions.revokeAll(subject, { reason: 'logout' })
    await vi.waitFor(() => expect(closed(all).filter((one) => one.subject === subject)).toHaveLength(4), SOON)
    expect(closed(all)).toHaveLength(before + 4)
  }
})

test('after ten idle minutes they are closed as well', async () => {
  // In short the node with the sockets runs a hundred times as fast as the others, and so as the servers: ten minutes of its fences,
  // polls, leases and ages go by in six seconds. Fences stop 5 s after the last use, copies are old after 30 s.
  const factor = count(100, 1)
  const folder = mkdtempSync(join(tmpdir(), 'countersign-idle-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const [redis, postgres] = await Promise.all([startRedis({ policy: 'noeviction' }), startPostgres()])
  onTestFinished(async () => {
    await Promise.all([redis.stop(), postgres.stop()])
  })
  const file = join(folder, 'sessions.db')
  const stores: Record<string, (runtime?: Runtime) => Store> = {
    redis: (runtime) => redisStore({ url: redis.url, deadline: '30s', ...(runtime && { runtime }) }),
    postgres: (runtime) => postgresStore({ url: postgres.url, deadline: '30s', ...(runtime && { runtime }) }),
    sqlite: (runtime) => sqliteStore({ file, ...(runtime && { runtime }) }),
  }
  const nodes = await Promise.all(
    Object.entries(stores).map(async ([name, open]) => {
      const { runtime, race } = racingRuntime()
      const here = await node(open(runtime), { runtime })
      const there = await openProcess({ store: open(), keyring })
      return { name, here, there, race, all: await connectAll(here, there, ['a', 'b', 'c']) }
    }),
  )
  for (const { race } of nodes) race(factor)
  await new Promise((resolve) => setTimeout(resolve, 600_000 / factor))
  for (const { name, here, all } of nodes) expect([name, here.live.size, closed(all)]).toEqual([name, 12, []])
  for (const { there, all } of nodes) {
    await there.sessions.revokeAll('b', { reason: 'logout' })
    await vi.waitFor(() => expect(closed(all)).toHaveLength(4), SOON)
    expect(closed(all).every(({ subject, closedAs }) => subject === 'b' && closedAs === '4401 logout')).toBe(true)
  }
}, 900_000)
