// `npm run walk -- --store STORE`: the walk of the README against the real server process. Ends with the line
// `N passed, N failed`; with a failure the exit code is 1. Starts a Redis of its own unless REDIS_URL is given, and always a PostgreSQL of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { ensurePrograms } from './servers.ts'
import { startPostgres } from './test-support/postgres-server.ts'
import { startRedisCluster } from './test-support/redis-cluster.ts'
import { startRedisSentinels } from './test-support/redis-sentinel.ts'
import { startRedis } from './test-support/redis-server.ts'
import { runCommand, startServer } from './test-support/server-process.ts'
import { Failover } from './walk/failover.ts'
import { walkOf } from './walk/steps.ts'

const STORES = ['sqlite', 'redis', 'redis-cluster', 'redis-sentinel', 'postgres'] as const
type StoreName = (typeof STORES)[number]

const USAGE = `Usage: npm run walk -- [--store ${STORES.join('|')}] [--failover]

Walks through the README against a real server: register, log in on two devices, refresh, list, gain and lose a role,
log out one, log out everywhere. The store is made for the walk and removed after it. With --store redis a Redis server
is started on a free port, or the one at REDIS_URL is used; with --store redis-cluster three primaries and three replicas
are started, with --store redis-sentinel one primary, two replicas and three sentinels, with
--store postgres a PostgreSQL server.

--failover, with redis-cluster and redis-sentinel: in the middle of the walk the primary that holds the session is killed,
and the walk goes on. What is answered with 503 is asked again; whatever else is not as expected is a failure.`

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    failover: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  },
  strict: true,
})
if (values.help) {
  console.log(USAGE)
  process.exit(0)
}
const store = STORES.find((name) => name === values.store)
if (store === undefined) {
  console.error(`"--store" must be one of: ${STORES.join(', ')}.\n\n${USAGE}`)
  process.exit(2)
}

if (values.failover && store !== 'redis-cluster' && store !== 'redis-sentinel') {
  console.error(`"--failover" needs --store redis-cluster or redis-sentinel.\n\n${USAGE}`)
  process.exit(2)
}

/** A server that keeps what it acknowledges: commands end with 5 where a change may come undone. */
const KEEPS = { appendonly: true, appendfsync: 'always' } as const

const dir = await mkdtemp(join(tmpdir(), 'countersign-walk-'))
const cleanUp: Array<() => Promise<unknown>> = [() => rm(dir, { recursive: true, force: true })]
let passed = 0
let failed = 0
let failover: Failover | undefined
try {
  const flags = await storeFlags(store)
  const server = await startServer(['--log-level', 'warn', ...flags])
  cleanUp.unshift(() => server.stop())
  const { steps, sessionId } = walkOf({
    url: server.url,
    countersign: (...args) => runCommand([...args, ...flags]),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    asksAgain: async () => (await failover?.asksAgain()) === true,
  })
  for (const step of steps) {
    if (values.failover && step.isMiddle) await failover!.begin(sessionId())
    const seen = await step.run().catch((error: unknown) => ({ threw: String(error) }))
    // `undefined` members are answers that were not there.
    const shown = JSON.parse(JSON.stringify(seen ?? null))
    const ok = isDeepStrictEqual(shown, step.expect)
    if (ok) passed++
    else failed++
    console.log(`${ok ? '✓' : '✗'} ${step.name}\n    ${JSON.stringify(shown)}`)
    if (!ok) console.log(`    expected ${JSON.stringify(step.expect)}`)
  }
  if (failover) console.log(await failover.end())
  if (failed > 0) console.log(server.logs())
} finally {
  for (const step of cleanUp) await step()
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 || passed === 0 ? 1 : 0

/** Where the server and the commands find the data. Keys are made by themselves only beside SQLite. */
async function storeFlags(kind: StoreName): Promise<string[]> {
  if (kind === 'sqlite') return ['--data', join(dir, 'data')]
  const location = await locationOf(kind)
  const keys = join(dir, 'keys.json')
  const made = await runCommand(['keys', 'generate', '--out', keys])
  if (made.code !== 0) throw new Error(made.stderr)
  return ['--store', location, '--keys', keys]
}

async function locationOf(kind: Exclude<StoreName, 'sqlite'>): Promise<string> {
  if (kind === 'redis' && process.env.REDIS_URL !== undefined) return process.env.REDIS_URL
  ensurePrograms([kind === 'postgres' ? 'initdb' : 'redis-server'])
  const hosts = (urls: readonly string[]) => urls.map((url) => new URL(url).host).join(',')
  switch (kind) {
    case 'postgres': {
      const postgres = await startPostgres()
      cleanUp.unshift(() => postgres.stop())
      return postgres.url
    }
    case 'redis': {
      const redis = await startRedis(KEEPS)
      cleanUp.unshift(() => redis.stop())
      return redis.url
    }
    case 'redis-cluster': {
      const cluster = await startRedisCluster(values.failover ? { ...KEEPS, nodeTimeoutMs: 2_000 } : {})
      cleanUp.unshift(() => cluster.stop())
      const primaryOf = async (sid: string) => cluster.ownerOf(await cluster.slotOf(tagOf(sid)))
      if (values.failover) failover = new Failover(primaryOf)
      return `redis-cluster://${hosts(cluster.urls)}`
    }
    case 'redis-sentinel': {
      const times = values.failover ? { ...KEEPS, downAfterMs: 2_000 } : {}
      const group = await startRedisSentinels({ requirepass: 'data', args: ['--min-replicas-to-write', '1'], ...times })
      cleanUp.unshift(() => group.stop())
      if (values.failover) failover = new Failover(() => group.primary())
      return `redis-sentinel://:data@${hosts(group.sentinels.map(({ url }) => url))}?name=${group.name}`
    }
  }
}

/** Its hash tag. */
function tagOf(sid: string): string {
  return sid.slice(0, 12)
}
