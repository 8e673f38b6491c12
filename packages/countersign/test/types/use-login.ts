// Accounts are a login as they are, for every adapter; what proves nobody is not.
import { allowlist, createSessions, type Keyring } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { countersign, passwordLogin } from 'countersign/fetch'
import type { Store } from 'countersign/stores/contract'

declare const keyring: Keyring
declare const store: Store
const roles = ['user', 'admin'] as const
const strategy = allowlist({ issuer: 'https://a', audience: 'b' })
const sessions = createSessions({ strategy, keyring, store, timeouts: { absolute: '7d' }, roles })
const accounts = createAccounts({ store, keyring, sessions, roles })
const origins = ['https://a']

countersign({ sessions, origins, ...passwordLogin(accounts) })
const others = createAccounts({ store, keyring, sessions, roles: ['root'] })
// @ts-expect-error roles that the sessions do not have
countersign({ sessions, origins, ...passwordLogin(others) })
