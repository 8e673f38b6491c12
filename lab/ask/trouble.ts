// When the store is in trouble: servers are killed, memory runs out.
import { setTimeout as sleep } from 'node:timers/promises'
import { atEnd } from '../../bench/harness/ending.ts'
import { command } from '../../tools/test-support/redis-command.ts'
import { startRedis } from '../../tools/test-support/redis-server.ts'
import { type Cell, type Finding, good, hole, none } from '../cell.ts'
import { NotStarted } from '../harness/processes.ts'
import type { Row } from '../rows.ts'
import type { Tokens } from '../sides/told.ts'
import { nobody, seconds } from './asked.ts'
import type { Client, Reply } from './client.ts'
import { LONG, type RowServers, type Run, startRow } from './row-servers.ts'
import { mapSome } from './some.ts'

/** One session that lives and one that was logged out, both known to the server that will be asked. */
interface Pair {
  readonly servers: RowServers
  readonly checker: Client
  readonly live: Tokens
  readonly ended: Tokens
}

async function prepare(run: Run, row: Row): Promise<Pair> {
  const servers = await startRow(run, row, LONG)
  return { servers, checker: servers.checkers.at(-1)!, ...(await pairOf(servers)) }
}

async function pairOf({ issuer, checkers }: RowServers): Promise<{ readonly live: Tokens; readonly ended: Tokens }> {
  // The one that lives comes last, because of the row where there is only one.
  const ended = await issuer.login(nobody())
  for (const checker of checkers) await checker.get('/', ended.accessToken)
  await issuer.post('/logout', {}, ended.accessToken)
  const live = await issuer.login(nobody())
  for (const checker of checkers) await checker.get('/', live.accessToken)
  return { live, ended }
}

/** Two calls of the store, each with its deadline of 2 s, are answered by then, also on a busy machine. */
const HANGS_MS = 6_000

/** Everything that a token was answered with for a while, in the order of its first time, and how often. */
async function watch(
  checker: Client,
  token: string,
  forMs: number,
  isOver = () => false,
): Promise<Map<number, number>> {
  const seen = new Map<number, number>()
  const endMs = Date.now() + forMs
  do {
    const { status } = await checker.get('/', token, HANGS_MS)
    seen.set(status, (seen.get(status) ?? 0) + 1)
    await sleep(25)
  } while (Date.now() < endMs && !isOver())
  return seen
}

const told = (seen: ReadonlyMap<number, number>): string =>
  [...seen].map(([status, times]) => `${times}× ${status || 'no answer in 6 s'}`).join(', ')

/** Kills the server that all of these rows work on, for three seconds. Rows whose logout does not reach the token are asked of the live one only. */
export async function askDown(run: Run, rows: readonly Row[], found: (cell: Cell) => void): Promise<void> {
  for (const store of ['redis', 'postgres'] as const) {
    const here = rows.filter((row) => row.store === store)
    if (here.length === 0) continue
    const pairs = await mapSome(here, (row) => prepare(run, row))
    // A logout that does not end the token is told by another column.
    const revoked = await Promise.all(pairs.map(({ checker, ended }) => checker.get('/', ended.accessToken)))
    const server = await run.places[store]()
    await server.kill('SIGKILL')
    const killedMs = Date.now()
    const watched = await Promise.all(
      pairs.map(({ checker, live, ended }) =>
        Promise.all([watch(checker, live.accessToken, 3_000), watch(checker, ended.accessToken, 3_000)]),
      ),
    )
    const forMs = Date.now() - killedMs
    await server.restart()
    await Promise.all(
      pairs.map(async (pair, at) => {
        const back = await comesBack(pair)
        const wasRefused = revoked[at]!.status === 401
        found({ row: pair.servers.row.id, question: 'down', ...judgeDown(...watched[at]!, wasRefused, forMs, back) })
        await pair.servers.stop()
      }),
    )
  }
  const others: Readonly<Record<string, Finding>> = {
    memory: none('in the process'),
    sqlite: none('in the process'),
    none: none('nothing is kept'),
    'redis-cluster': none('see fail-over'),
  }
  for (const row of rows) if (others[row.store]) found({ row: row.id, question: 'down', ...others[row.store]! })
}

async function comesBack({ checker, live }: Pair): Promise<Reply> {
  const endMs = Date.now() + 10_000
  for (;;) {
    const reply = await checker.get('/', live.accessToken)
    if (reply.status === 200 || reply.status === 401 || Date.now() > endMs) return reply
    await sleep(50)
  }
}

function judgeDown(
  live: ReadonlyMap<number, number>,
  ended: ReadonlyMap<number, number>,
  wasRefused: boolean,
  forMs: number,
  back: Reply,
): Finding {
  const seen = `${seconds(forMs)} without the store: the live one ${told(live)}; the one logged out ${told(ended)}; then the live one: ${back.status}`
  if (live.has(401)) return hole('logs out', seen)
  if (live.has(0) || ended.has(0)) return hole('hangs', seen)
  if (wasRefused && ended.has(200)) return hole('lets back in', seen)
  if (back.status !== 200) return hole('does not come back', seen)
  if (live.has(503)) return good('503, then back', seen)
  return live.size === 1 && live.has(200) ? good('not asked', seen) : hole(`fails: ${told(live)}`, seen)
}

/** Several times what it has room for, so that hardly a key from before is left. */
async function overfill(url: string): Promise<void> {
  const value = 'x'.repeat(50_000)
  for (let turn = 0; turn < 30; turn++)
    await command(url, 'MSET', ...Array.from({ length: 20 }, (_, at) => [`filler:${turn}:${at}`, value]).flat())
}

/** A Redis of its own, far too small, that forgets what was used least. */
export async function askEvicting(run: Run, row: Row): Promise<Finding> {
  if (row.store === 'redis-cluster') return none('as one Redis')
  if (row.store === 'none' || row.verifiesOnly) return none('keeps nothing')
  if (row.store !== 'redis') return none('does not evict')
  const redis = await startRedis({ policy: 'allkeys-lru', maxmemory: '6mb' })
  const forget = atEnd(() => redis.stop())
  let servers: RowServers | undefined
  try {
    servers = await startRow(run, row, LONG, 1, { kind: 'redis', urls: [redis.url] })
    const pair = { servers, checker: servers.checkers.at(-1)!, ...(await pairOf(servers)) }
    const before = await pair.checker.get('/', pair.ended.accessToken)
    await overfill(redis.url)
    // What a near cache may still know it knows for a second.
    await sleep(1_200)
    const ended = await pair.checker.get('/', pair.ended.accessToken)
    const live = await pair.checker.get('/', pair.live.accessToken)
    const warned = (await pair.servers.issuer.get('/health')).body.warnings?.length ?? 0
    const seen = `logged out before: ${before.status}, after: ${ended.status}; the live one: ${live.status}; warnings: ${warned}`
    // A logout that does not end the token is told by another column.
    if (before.status !== 401) return none('nothing to forget')
    if (ended.status === 200) return hole('comes back', seen)
    return live.status === 401 ? good('stays out; others too', seen) : good('stays out', seen)
  } catch (error) {
    const refusal = error instanceof NotStarted && /ERR_STORE_MISCONFIGURED/.exec(error.message)?.[0]
    if (refusal) return good('refuses to start', refusal)
    throw error
  } finally {
    await servers?.stop()
    forget()
    await redis.stop()
  }
}

/** Kills the primary of the sessions of all these rows at once. */
export async function askFailover(run: Run, rows: readonly Row[], found: (cell: Cell) => void): Promise<void> {
  const clustered = rows.filter(({ store }) => store === 'redis-cluster')
  for (const row of rows) {
    if (clustered.includes(row)) continue
    const why = row.store === 'redis' || row.store === 'postgres' ? 'one server' : 'nothing to fail over'
    found({ row: row.id, question: 'failover', ...none(why) })
  }
  if (clustered.length === 0) return
  const cluster = await run.places.cluster()
  await cluster.settle()
  const ownerOf = async (sid: string) => cluster.ownerOf(await cluster.slotOf(sid.slice(0, 12)))
  const victim = cluster.nodes[0]!
  const primary = (await cluster.replicasOf(victim)).length > 0 ? victim : await cluster.ownerOf(0)
  const isThere = async (sid: string) => (await ownerOf(sid)) === primary
  const pairs = await mapSome(clustered, (row) => prepareOn(run, row, isThere))
  const sid = pairs[0]!.live.sid!
  await primary.kill('SIGKILL')
  const killedMs = Date.now()
  let isOver = false
  const watching = pairs.map(({ checker, live, ended }) =>
    Promise.all([live, ended].map(({ accessToken }) => watch(checker, accessToken, 30_000, () => isOver))),
  )
  let owner = primary
  while (owner === primary && Date.now() - killedMs < 30_000) {
    await sleep(100)
    owner = await ownerOf(sid).catch(() => primary)
  }
  const overMs = Date.now() - killedMs
  await sleep(1_500)
  isOver = true
  const watched = await Promise.all(watching)
  for (const [at, pair] of pairs.entries()) {
    const back = await comesBack(pair)
    const ended = await pair.checker.get('/', pair.ended.accessToken)
    const finding = judgeFailover(watched[at]!, back, ended, overMs, pair.servers.row)
    found({ row: pair.servers.row.id, question: 'failover', ...finding })
    await pair.servers.stop()
  }
  await primary.restart()
  await cluster.settle()
}

async function prepareOn(run: Run, row: Row, isThere: (sid: string) => Promise<boolean>): Promise<Pair> {
  const servers = await startRow(run, row, LONG)
  const there = async (): Promise<Tokens> => {
    for (;;) {
      const tokens = await servers.issuer.login(nobody())
      if (!(await isThere(tokens.sid!))) continue
      for (const checker of servers.checkers) await checker.get('/', tokens.accessToken)
      return tokens
    }
  }
  const ended = await there()
  await servers.issuer.post('/logout', {}, ended.accessToken)
  return { servers, checker: servers.checkers.at(-1)!, ended, live: await there() }
}

function judgeFailover(
  [live, ended]: readonly ReadonlyMap<number, number>[],
  back: Reply,
  after: Reply,
  overMs: number,
  { strategy }: Row,
): Finding {
  const seen = `another primary after ${seconds(overMs)}: the live one ${told(live!)}, then ${back.status}; the one logged out ${told(ended!)}, then ${after.status}`
  if (live!.has(401) || back.status === 401) return hole('logs out', seen)
  if (live!.has(0) || ended!.has(0)) return hole('hangs', seen)
  if (strategy === 'stateless') return good('not asked', seen)
  if (ended!.has(200) || after.status !== 401) return hole('lets back in', seen)
  return back.status === 200
    ? good(live!.has(503) ? '503, then back' : 'nobody noticed', seen)
    : hole('does not come back', seen)
}
