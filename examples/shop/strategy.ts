import { allowlist, denylist, opaque, type Strategy, stateless } from 'countersign'

export const STRATEGIES = ['allowlist', 'opaque', 'denylist', 'stateless'] as const
export type StrategyName = (typeof STRATEGIES)[number]

/** Each service has an audience of its own, and takes no token of another. */
export const AUDIENCE = {
  shop: 'https://shop.example.com',
  cart: 'https://cart.shop.example.com',
  office: 'https://office.shop.example.com',
} as const

export const ROLES = ['customer', 'staff'] as const
export type Role = (typeof ROLES)[number]

/** Where a session may go: customers never to the back office, staff not shopping. */
export function audiencesOf(roles: readonly Role[]): string[] {
  return [AUDIENCE.shop, roles.includes('staff') ? AUDIENCE.office : AUDIENCE.cart]
}

/**
 * What all strategies have in common is all that the shop relies on: a check tells who it is, and there are records. So one
 * type stands for each of them.
 */
export type AnyStrategy = Strategy<'token', true, 'sessions' | 'revocations'>

export function strategyOf(name: StrategyName, issuer: string): AnyStrategy {
  const audience = Object.values(AUDIENCE)
  // 10 minutes in the memory of the page, 7 days in a cookie that no script sees. ES256, because others verify by JWK Set.
  const jwt = { issuer, audience, alg: 'ES256', accessLifetime: '10m', refreshLifetime: '7d' } as const
  const made = { opaque: () => opaque({ audience }), stateless, denylist, allowlist }[name](jwt)
  return made as unknown as AnyStrategy
}
