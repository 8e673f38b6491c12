// All three services in this process, each on a port of its own.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { generateKeyring, type Keyring, loadKeyring } from 'countersign'
import type { FastifyInstance } from 'fastify'
import { openCluster } from './data/cluster.ts'
import { seed } from './seed.ts'
import { createCartService } from './services/cart.ts'
import type { Freshness } from './services/checkout.ts'
import { createOfficeService } from './services/office.ts'
import { createShopService } from './services/shop.ts'
import { byKeys, byRecord } from './services/verifier.ts'
import { createStack } from './stack.ts'
import { AUDIENCE, type StrategyName } from './strategy.ts'

export interface StartOptions {
  readonly nodes: readonly string[]
  /** Default keys in memory, for a cluster that is as new. Data outlives its keys only where they are kept. */
  readonly keyring?: Keyring
  readonly strategy?: StrategyName
  readonly page?: string
  /** As of the stack. */
  readonly replicasWithinMs?: number
  readonly freshFor?: Freshness
  /** Default any that is free. */
  readonly port?: number
}

export async function startShop(options: StartOptions) {
  const { nodes, strategy = 'allowlist', page, freshFor = '2m', port = 0, replicasWithinMs } = options
  const keyring = options.keyring ?? (await loadKeyring(generateKeyring()))
  const origin = `http://localhost:${port === 0 ? await freePort() : port}`
  const stack = createStack({ nodes, keyring, issuer: origin, strategy, replicasWithinMs })
  const jwks = new URL('/.well-known/jwks.json', origin)
  const trust = (audience: string) => ({ issuer: origin, audience, strategy })
  const data = [openCluster(nodes, replicasWithinMs), openCluster(nodes)] as const
  const carts = trust(AUDIENCE.cart)
  const cart = await createCartService({
    checking: strategy === 'opaque' ? byRecord(carts, nodes, keyring) : byKeys(carts, jwks),
    data: data[0],
    origin,
    audience: AUDIENCE.cart,
  })
  const office = await createOfficeService({
    checking: byRecord(trust(AUDIENCE.office), nodes, keyring),
    data: data[1],
    origin,
    audience: AUDIENCE.office,
  })
  const urls = { cart: await listen(cart), office: await listen(office) }
  const shop = await createShopService({ stack, origin, ...urls, page, freshFor })
  await listen(shop, Number(new URL(origin).port))
  await stack.accounts.ready()
  await seed(stack)
  return {
    url: origin,
    ...urls,
    stack,
    async close() {
      await shop.close()
      await Promise.all([cart.close(), office.close()])
      for (const one of data) one.close()
      await stack.close()
    },
  }
}

export type RunningShop = Awaited<ReturnType<typeof startShop>>

const listen = (app: FastifyInstance, port = 0): Promise<string> => app.listen({ host: '127.0.0.1', port })

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}
