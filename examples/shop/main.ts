// npm run shop -- [--strategy allowlist|opaque|denylist|stateless] [--nodes redis://…,redis://… --keys FILE] [--port 4400] [--fresh 2m]
import { parseArgs } from 'node:util'
import { demoCluster } from '../shared/demo-cluster.ts'
import { keptKeyring } from '../shared/kept-keyring.ts'
import { buildPage } from './build-page.ts'
import { DEMO_ACCOUNTS } from './seed.ts'
import type { Freshness } from './services/checkout.ts'
import { startShop } from './start.ts'
import { STRATEGIES, type StrategyName } from './strategy.ts'

const { values } = parseArgs({
  options: {
    strategy: { type: 'string', default: 'allowlist' },
    nodes: { type: 'string' },
    keys: { type: 'string', default: 'countersign-data/shop-keys.json' },
    port: { type: 'string', default: '4400' },
    fresh: { type: 'string', default: '2m' },
  },
})
const strategy = values.strategy as StrategyName
if (!STRATEGIES.includes(strategy)) {
  console.error(`--strategy must be one of ${STRATEGIES.join(', ')}`)
  process.exit(2)
}

console.log('Building the page, and starting the cluster …')
const [page, cluster] = await Promise.all([buildPage(), demoCluster(values.nodes ?? process.env.REDIS_NODES)])
const { nodes } = cluster
// A cluster that goes on being there needs the keys that its data was written with.
const keyring = cluster.own ? {} : { keyring: await keptKeyring(values.keys) }
const freshFor = values.fresh as Freshness
const shop = await startShop({ nodes, ...keyring, strategy, page, port: Number(values.port), freshFor })

console.log(`
  Shop         ${shop.url}/          strategy: ${strategy}
  Mailbox      ${shop.url}/#/mailbox
  Cart         ${shop.cart}     checks by ${strategy === 'opaque' ? 'record' : 'public keys'}
  Back office  ${shop.office}     checks by record
  Cluster      ${nodes.map((url) => new URL(url).port).join(' ')}${cluster.own ? '   (kill one to see a failover)' : ''}

${DEMO_ACCOUNTS.map(({ identifier, password, roles }) => `  ${identifier.padEnd(20)} ${password.padEnd(30)} ${roles}`).join('\n')}

  Ctrl-C ends everything.`)

let ending = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, async () => {
    if (ending) return
    ending = true
    await shop.close().catch((error: Error) => console.error(error.message))
    await cluster.stop()
    process.exit(0)
  })
}
