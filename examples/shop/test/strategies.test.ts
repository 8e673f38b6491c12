// The same shop with each strategy, by HTTP: what a token is good for after its session has ended, and where.
import { randomUUID } from 'node:crypto'
import { generateKeyring, type Keyring, loadKeyring } from 'countersign'
import Fastify from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisCluster, startRedisCluster } from '../../../tools/test-support/redis-cluster.ts'
import { DEMO_ACCOUNTS } from '../seed.ts'
import { forward } from '../services/forward.ts'
import { type RunningShop, startShop } from '../start.ts'
import { STRATEGIES, type StrategyName } from '../strategy.ts'

/** Of a token whose session has ended: who refuses it. */
const AFTER_LOGOUT: Readonly<Record<StrategyName, { shop: number; cart: number; checkout: number }>> = {
  // The cart service of an opaque token has to ask for the record. It has not much of a choice.
  opaque: { shop: 401, cart: 401, checkout: 401 },
  allowlist: { shop: 401, cart: 200, checkout: 401 },
  denylist: { shop: 401, cart: 200, checkout: 401 },
  // Only what asks for the record itself is not fooled.
  stateless: { shop: 200, cart: 200, checkout: 403 },
}

describe('strategies', () => {
  let cluster: RedisCluster
  let keyring: Keyring
  beforeAll(async () => {
    keyring = await loadKeyring(generateKeyring())
    cluster = await startRedisCluster()
  })
  afterAll(() => cluster?.stop())

  it.each(STRATEGIES)('%s', async (strategy) => {
    const shop = await startShop({ nodes: cluster.urls, keyring, strategy, replicasWithinMs: 2_000 })
    try {
      const customer = await login(shop, 0)
      expect(customer.durability).toBe('replicated')
      const { cookie } = customer
      if (cookie)
        expect(cookie).toMatch(/^__Host-refresh=csr_.*; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=604/)
      // Its own audience each: at the services themselves, past the page.
      const staff = await login(shop, 2)
      const officeOf = (token: string) => statusOf(`${shop.office}/office/orders`, token)
      const cartOf = (token: string) => statusOf(`${shop.cart}/cart`, token)
      expect([await cartOf(customer.token), await officeOf(customer.token)]).toEqual([200, 401])
      expect([await cartOf(staff.token), await officeOf(staff.token)]).toEqual([401, 200])

      await fetch(`${shop.url}/auth/logout`, { method: 'POST', headers: headers(shop, staff.token) })
      expect(await officeOf(staff.token)).toBe(401)
      await fetch(`${shop.url}/auth/logout`, { method: 'POST', headers: headers(shop, customer.token) })
      const checkout = await fetch(`${shop.url}/api/checkout`, {
        method: 'POST',
        headers: { ...headers(shop, customer.token), 'content-type': 'application/json' },
        body: JSON.stringify({ order: randomUUID() }),
      })
      expect({
        shop: await statusOf(`${shop.url}/api/me`, customer.token),
        cart: await cartOf(customer.token),
        checkout: checkout.status,
      }).toEqual(AFTER_LOGOUT[strategy])
    } finally {
      await shop.close()
    }
  })
})

it('never forwards the refresh cookie to another service', async () => {
  const [front, service] = [Fastify(), Fastify()]
  service.get('/cart', async ({ headers }) => ({ cookie: headers.cookie }))
  await forward(front, '/cart', await service.listen({ host: '127.0.0.1', port: 0 }))
  const cookie = 'a=1; __Host-refresh=secret; __Host-guest=g; __Host-access=t'
  const answer = await front.inject({ url: '/cart', headers: { cookie } })
  expect(answer.json()).toEqual({ cookie: '__Host-guest=g; __Host-access=t' })
  await service.close()
})

const headers = (shop: RunningShop, token: string) => ({ origin: shop.url, authorization: `Bearer ${token}` })

const statusOf = async (url: string, token: string) =>
  (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status

/** As a page does, but with an opaque token as a program does: it would get it in a cookie. */
async function login({ url, stack }: RunningShop, index: number) {
  const { identifier, password } = DEMO_ACCOUNTS[index]!
  const delivery = stack.strategy === 'opaque' ? 'bearer' : 'browser'
  const answer = await fetch(`${url}/auth/login`, {
    method: 'POST',
    headers: { origin: url, 'content-type': 'application/json' },
    body: JSON.stringify({ identifier, password, delivery, persistent: true }),
  })
  const { accessToken, durability } = (await answer.json()) as { accessToken: string; durability: string }
  return { token: accessToken, durability, cookie: answer.headers.getSetCookie()[0] }
}
