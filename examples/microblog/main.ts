// `npm run microblog`: builds the page, starts a Redis of its own where none is given, and serves the microblog.
import { parseArgs } from 'node:util'
import { type Duration, generateKeyring, type Keyring, loadKeyring } from 'countersign'
import { startDemoRedis } from '../shared/demo-redis.ts'
import { keptKeyring } from '../shared/kept-keyring.ts'
import { buildPage } from './build-page.ts'
import { PASSWORD, PEOPLE, seed } from './server/seed.ts'
import { startMicroblog } from './server/start.ts'
import { STRATEGIES, type StrategyName } from './shared/types.ts'

const HELP = `npm run microblog -- [options]
  --strategy NAME   ${STRATEGIES.join(', ')}. Default allowlist
  --port N          Default 3000
  --access TIME     how long an access token is good for. Default 10m
  --lifetime TIME   how long a session lasts. Default 7d; 1m shows what happens then
  --devices N       sessions of one account at the same time. Default 3
  --keys FILE       with REDIS_URL: where the keys are kept. Made if it is not there`

const { values } = parseArgs({
  options: {
    strategy: { type: 'string', default: 'allowlist' },
    port: { type: 'string', default: '3000' },
    access: { type: 'string', default: '10m' },
    lifetime: { type: 'string', default: '7d' },
    devices: { type: 'string', default: '3' },
    keys: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help || !STRATEGIES.includes(values.strategy as StrategyName)) {
  console.log(HELP)
  process.exit(values.help ? 0 : 2)
}

/** Keys belong to the data: with a Redis that stays, they have to stay too. */
async function keysOf(file: string | undefined): Promise<Keyring> {
  if (!process.env.REDIS_URL) return loadKeyring(generateKeyring())
  if (file === undefined) throw new Error('with REDIS_URL, say where the keys are kept: --keys FILE')
  return keptKeyring(file)
}

const keyring = await keysOf(values.keys)
const given = process.env.REDIS_URL || undefined
const [redis, page] = await Promise.all([given ? undefined : startDemoRedis(), buildPage()])
try {
  const blog = await startMicroblog({
    redisUrl: given ?? redis!.url,
    keyring,
    page,
    strategy: values.strategy as StrategyName,
    port: Number(values.port),
    access: values.access as Duration,
    lifetime: values.lifetime as Duration,
    devices: Number(values.devices),
  })
  await seed(blog)
  console.log(`
  The microblog is at ${blog.url}  (strategy ${values.strategy}; Ctrl-C ends it)

  ${PEOPLE.map(({ name, role }) => `${name} (${role})`).join(', ')}
  password of each: ${PASSWORD}
`)
  await new Promise<void>((resolve) => {
    // Not `once`: whoever presses twice does not cut the good-bye short.
    process.on('SIGINT', resolve)
    process.on('SIGTERM', resolve)
  })
  await blog.close()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
} finally {
  await redis?.stop()
}
// What a start that failed has left open does not keep the process.
process.exit()
