// The sessions of the microblog: the only file that differs between the strategies.
import {
  allowlist,
  createSessions,
  type Duration,
  denylist,
  type Keyring,
  opaque,
  type Strategy,
  stateless,
} from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { redisStore } from 'countersign/stores/redis'
import { ROLES, type StrategyName } from '../shared/types.ts'

export interface SessionSettings {
  readonly redisUrl: string
  readonly keyring: Keyring
  readonly strategy: StrategyName
  /** How long an access token is good for. */
  readonly access: Duration
  /** How long a session lasts, whatever happens. */
  readonly lifetime: Duration
  /** Sessions of one account at the same time; a login beyond them ends the oldest. */
  readonly devices: number
  /** How long Redis may take for an answer, before that is an outage. */
  readonly deadline?: Duration
}

export async function openSessions(settings: SessionSettings) {
  const { redisUrl, keyring, strategy, access, lifetime, devices, deadline = '2s' } = settings
  const store = redisStore({ url: redisUrl, deadline })
  const sessions = createSessions({
    strategy: strategyOf(strategy, access),
    store,
    keyring,
    timeouts: { absolute: lifetime },
    limits: { perSubject: devices, overflow: 'evict_oldest' },
    roles: ROLES,
  })
  const accounts = createAccounts({ store, keyring, sessions, roles: ROLES, passwords: { words: ['microblog'] } })
  await Promise.all([sessions.ready(), accounts.ready()])
  return { sessions, accounts }
}

/** What all of them have in common: a check yields at least what the token says, and there are records to end. */
type AnyStrategy = Strategy<'token', boolean, 'sessions'>

function strategyOf(name: StrategyName, accessLifetime: Duration): AnyStrategy {
  const audience = 'https://microblog.example'
  const jwt = { issuer: audience, audience, accessLifetime, refreshLifetime: '7d' } as const
  const strategies = {
    opaque: () => opaque({ audience }),
    stateless: () => stateless(jwt),
    denylist: () => denylist(jwt),
    allowlist: () => allowlist(jwt),
  }
  return strategies[name]() as unknown as AnyStrategy
}

type Opened = Awaited<ReturnType<typeof openSessions>>
export type BlogSessions = Opened['sessions']
export type BlogAccounts = Opened['accounts']
