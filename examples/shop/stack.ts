// What the services share: store, keys, sessions, accounts, and the shop's own data. All of it in one Redis Cluster.
import { createSessions, type Keyring } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { createOneTime } from 'countersign/one-time'
import { redisStore } from 'countersign/stores/redis'
import { createCarts } from './data/carts.ts'
import { openCluster } from './data/cluster.ts'
import { createOrders } from './data/orders.ts'
import { createPreferences } from './data/preferences.ts'
import { ROLES, type StrategyName, strategyOf } from './strategy.ts'

export interface StackOptions {
  /** URLs of some nodes of the cluster. */
  readonly nodes: readonly string[]
  readonly keyring: Keyring
  /** `iss` of the tokens: the address of the shop. */
  readonly issuer: string
  readonly strategy: StrategyName
  /** How long a write waits for a replica. Default 500. */
  readonly replicasWithinMs?: number | undefined
}

/** One more login than this ends the session that has been there longest. */
export const DEVICE_LIMIT = 2

export type Stack = ReturnType<typeof createStack>
export type ShopSessions = Stack['sessions']

export function createStack({ nodes, keyring, issuer, strategy, replicasWithinMs = 500 }: StackOptions) {
  // A revocation and a login wait for one replica; their answers say whether it has them.
  const store = redisStore({ nodes, durable: { replicas: 1, within: `${replicasWithinMs / 1_000}s` } })
  const sessions = createSessions({
    strategy: strategyOf(strategy, issuer),
    store,
    keyring,
    timeouts: { idle: '30m', absolute: '30d' },
    roles: ROLES,
    limits: { perSubject: DEVICE_LIMIT, overflow: 'evict_oldest' },
  })
  const oneTime = createOneTime({ store, keyring })
  const accounts = createAccounts({ store, keyring, sessions, roles: ROLES, oneTime, passwords: { words: ['shop'] } })
  const data = openCluster(nodes, replicasWithinMs)
  return {
    strategy,
    keyring,
    sessions,
    accounts,
    oneTime,
    data,
    carts: createCarts(data),
    orders: createOrders(data),
    preferences: createPreferences(data),
    async close() {
      data.close()
      await sessions.close()
    },
  }
}
