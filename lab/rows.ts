// Who is asked. Ids never change, since results are compared over time by them.
import type { StoreKind, StrategyName } from './sides/told.ts'

export interface Row {
  readonly id: string
  /** One sentence for a reader who sees nothing else. */
  readonly about: string
  readonly kind: 'ours' | 'naive'
  /** Where what it keeps is; `none` for who keeps nothing. */
  readonly store: StoreKind | 'none'
  readonly strategy?: StrategyName
  /** The server, below `lab/sides/`. */
  readonly side: string
  /** It only verifies: somebody else, our own server with `denylist`, issues its tokens. */
  readonly verifiesOnly?: true
  /** Two questions at once would disturb each other. */
  readonly oneAtATime?: true
  /** Signs with a text that both sides know. */
  readonly secret?: true
}

export const STORES: readonly StoreKind[] = ['memory', 'sqlite', 'redis', 'redis-cluster', 'postgres']
export const STRATEGIES: readonly StrategyName[] = ['opaque', 'stateless', 'denylist', 'allowlist']

const ABOUT: Readonly<Record<StrategyName, string>> = {
  opaque: 'a random token and a record that is read',
  stateless: 'a signed token, and nothing is read',
  denylist: 'a signed token, and the revocations of its subject are read',
  allowlist: 'a signed token whose session must exist',
}

const ours = STORES.flatMap((store) =>
  STRATEGIES.map(
    (strategy): Row => ({
      id: `${strategy}/${store}`,
      about: `${ABOUT[strategy]}, on ${store}`,
      kind: 'ours',
      store,
      strategy,
      side: 'countersign.ts',
    }),
  ),
)

const naive = (id: string, about: string, side: string, more: Partial<Row> = {}): Row => ({
  id,
  about,
  kind: 'naive',
  store: 'redis',
  side,
  ...more,
})

export const ROWS: readonly Row[] = [
  ...ours,
  {
    id: 'jwks-alone',
    about: 'our tokens (`denylist` on Redis), checked by a service that has only the public keys: `createVerifier`',
    kind: 'ours',
    store: 'redis',
    strategy: 'denylist',
    side: 'jwks.ts',
    verifiesOnly: true,
  },
  naive('jose-jwks', 'the same tokens, checked with `jwtVerify(token, JWKS)` of jose', 'naive/jose-jwks.ts', {
    verifiesOnly: true,
    strategy: 'denylist',
  }),
  naive('jsonwebtoken', 'jsonwebtoken alone', 'naive/jsonwebtoken-alone.ts', { store: 'none', secret: true }),
  naive('jsonwebtoken-exists', 'jsonwebtoken, and its id must exist in Redis', 'naive/jsonwebtoken-exists.ts', {
    secret: true,
  }),
  naive(
    'jsonwebtoken-blacklist',
    'jsonwebtoken, and a list in Redis of those logged out',
    'naive/jsonwebtoken-blacklist.ts',
    {
      secret: true,
    },
  ),
  naive('fixed-key', "jsonwebtoken, and everybody's token under one key in Redis", 'naive/fixed-key.ts', {
    secret: true,
    oneAtATime: true,
  }),
]
