import { createRequire } from 'node:module'
import {
  allowlist,
  createSessions,
  generateKeyring,
  type Keyring,
  loadKeyring,
  type SessionId,
  type Subject,
} from 'countersign'
import { type AccountEvent, type Accounts, createAccounts, type PasswordsOptions } from 'countersign/accounts'
import type { AccountStore, Store } from 'countersign/stores/contract'
import { expect } from 'vitest'

/** The very module that the library loads, so that a spy on it sees the real calls. */
export const argon2 = createRequire(import.meta.url)('@node-rs/argon2') as typeof import('@node-rs/argon2')

/** The cheapest cost that is allowed. */
export const CHEAP = { memoryKiB: 7_168, passes: 5 }
export const ROLES = ['user', 'editor', 'admin'] as const
export type Role = (typeof ROLES)[number]
export const PASSWORD = 'plinth-gavotte-ossify-73'
export const OTHER_PASSWORD = 'umbrage-quillon-ferrule-9'

export interface Kit {
  readonly store: Store
  readonly keyring: Keyring
  readonly sessions: ReturnType<typeof sessionsOn>
  readonly accounts: Accounts<Role>
  readonly events: AccountEvent[]
}

function sessionsOn(store: Store, keyring: Keyring) {
  const strategy = allowlist({ issuer: 'https://auth.test', audience: 'https://api.test' })
  return createSessions({ strategy, store, keyring, roles: ROLES, timeouts: { absolute: '7d' } })
}

type Sessions = ReturnType<typeof sessionsOn>

export async function kitOn(store: Store, passwords: PasswordsOptions = {}): Promise<Kit> {
  const keyring = await loadKeyring(generateKeyring())
  const sessions = sessionsOn(store, keyring)
  const kit = { store, keyring, sessions }
  const accounts = accountsOf(kit, { passwords })
  const events: AccountEvent[] = []
  accounts.events.on('*', (event) => events.push(event))
  return { ...kit, accounts, events }
}

/** Further accounts on the same store: another process of the same application. */
export function accountsOf(
  kit: Pick<Kit, 'store' | 'keyring' | 'sessions'>,
  more: {
    passwords?: PasswordsOptions
    sessions?: Pick<Sessions, 'epoch' | 'setRoles' | 'revokeAll'>
    accounts?: AccountStore
  } = {},
): Accounts<Role> {
  const { store, keyring } = kit
  return createAccounts({
    store: { ...store, ...(more.accounts && { accounts: more.accounts }) },
    keyring,
    sessions: more.sessions ?? kit.sessions,
    roles: ROLES,
    passwords: { argon2: CHEAP, ...more.passwords },
  })
}

export function identifier(): string {
  return `someone-${Math.random().toString(36).slice(2)}@example.org`
}

/** Registers somebody new and returns the account. */
export async function newcomer(kit: Kit, more: { roles?: readonly Role[]; password?: string } = {}) {
  const done = await kit.accounts.register({ identifier: identifier(), password: PASSWORD, ...more })
  if (!done.ok) throw new Error(`register: ${done.reason}`)
  return done.account
}

/** What an application does for a login. */
export async function login(kit: Kit, name: string, password = PASSWORD, accounts = kit.accounts) {
  const authenticated = await accounts.authenticate({ identifier: name, password })
  if (!authenticated.ok) return authenticated
  const { ok, epoch, ...who } = authenticated
  return kit.sessions.issue({ ...who, ifEpoch: epoch })
}

export async function loggedIn(kit: Kit, name: string, password = PASSWORD) {
  const issued = await login(kit, name, password)
  if (!issued.ok) throw new Error(`login: ${issued.reason}`)
  return issued
}

export async function isLive(kit: Kit, id: SessionId): Promise<boolean> {
  return (await kit.sessions.get(id)).ok
}

/** The account and the gate of the session store, which have to say the same. */
export async function blockedIn(kit: Kit, name: Subject) {
  const account = (await kit.accounts.get(name))!
  const probe = await kit.sessions.issue({ subject: account.subject })
  if (!probe.ok) expect(probe.reason).toBe('blocked')
  return { account: account.blocked !== null, gate: !probe.ok }
}

/** A promise that the test fulfils. */
export function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

/** The names of the calls that go to `target`, in their order. */
export function recorded<T extends object>(target: T, prefix: string, calls: string[]): T {
  return new Proxy(target, {
    get(object, name) {
      const value = Reflect.get(object, name)
      if (typeof value !== 'function') return value
      return (...input: unknown[]) => {
        calls.push(`${prefix}.${String(name)}`)
        return value.apply(object, input)
      }
    },
  })
}
