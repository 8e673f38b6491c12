// `npm run redis-keys -- [--strategy opaque|allowlist|denylist]`: what a session is in Redis, from login to logout. Starts
// a Redis of its own, and ends it.
import { parseArgs } from 'node:util'
import { allowlist, createSessions, denylist, generateKeyring, loadKeyring, opaque } from 'countersign'
import { redisStore } from 'countersign/stores/redis'
import { createClient } from 'redis'
import { startDemoRedis } from '../shared/demo-redis.ts'

/** How records and revocations are read. The floor is read beside them, a few times a second whatever happens. */
const READS = new Set(['get', 'hgetall'])
const NAMES = { issuer: 'https://auth.example.com', audience: 'https://api.example.com' }
const STRATEGIES = {
  opaque: () => opaque({ audience: NAMES.audience }),
  allowlist: () => allowlist(NAMES),
  denylist: () => denylist(NAMES),
}
const { values } = parseArgs({ options: { strategy: { type: 'string', default: 'opaque' } } })
const make = STRATEGIES[values.strategy as keyof typeof STRATEGIES]
if (!make) {
  console.error(`--strategy must be one of ${Object.keys(STRATEGIES).join(', ')}`)
  process.exit(2)
}

const { url, stop } = await startDemoRedis()
const client = createClient({ url })
const sessions = createSessions({
  strategy: make() as ReturnType<typeof allowlist>,
  store: redisStore({ url, noEviction: true }),
  keyring: await loadKeyring(generateKeyring()),
  timeouts: { idle: '30m', absolute: '7d' },
  nearCache: false,
})
try {
  await client.connect()
  const issued = await sessions.issue({ subject: 'user:01' })
  if (!issued.ok) throw new Error(issued.reason)
  await show('After a login')

  const asked = await calls(() => sessions.verify(issued.accessToken).then(({ ok }) => ok))
  console.log(`A request: ${asked.said ? 'let in' : 'refused'}, for ${asked.commands.join(' and ')}\n`)

  await sessions.revoke(issued.session.sessionId, { reason: 'logout' })
  await show('After the logout')
  const after = await calls(() => sessions.verify(issued.accessToken).then((checked) => !checked.ok && checked.reason))
  console.log(`The same request: ${after.said}, for ${after.commands.join(' and ')}`)
} finally {
  await sessions.close()
  client.destroy()
  await stop()
}

/** Every key there is. Only a demonstration may ask for that: the library never scans. */
async function show(title: string): Promise<void> {
  console.log(title)
  for await (const keys of client.scanIterator()) {
    for (const key of keys) {
      const kind = await client.type(key)
      const held = kind === 'hash' ? Object.keys(await client.hGetAll(key)).map((field) => field.slice(0, 12)) : []
      const size = await client.memoryUsage(key)
      const left = await client.pTTL(key)
      const until = left < 0 ? 'stays' : `goes in ${(left / 3_600_000).toFixed(1)} h`
      console.log(`  ${key.padEnd(60)} ${kind.padEnd(7)} ${size} bytes, ${until} ${held.join(' ')}`)
    }
  }
  console.log()
}

/** What the server was asked meanwhile, as it counts itself. */
async function calls<T>(run: () => Promise<T>): Promise<{ readonly said: T; readonly commands: readonly string[] }> {
  await client.configResetStat()
  const said = await run()
  const stats = await client.info('commandstats')
  const counted = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].filter(([, name]) => READS.has(name!))
  return { said, commands: counted.map(([, name, count]) => `${count} ${name!.toUpperCase()}`) }
}
