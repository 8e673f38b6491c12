// What every example has in common: sessions and accounts in one SQLite file, one user, and three pages.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allowlist, createSessions, generateKeyring, loadKeyring } from 'countersign'
import { createAccounts } from 'countersign/accounts'
import { sqliteStore } from 'countersign/stores/sqlite'

const ROLES = ['user', 'admin'] as const

/** A new file each time, so that the examples leave nothing behind. An application keeps both: the file and the keys. */
const store = sqliteStore({ file: join(mkdtempSync(join(tmpdir(), 'countersign-example-')), 'sessions.db') })
const keyring = await loadKeyring(generateKeyring())

export const sessions = createSessions({
  strategy: allowlist({ issuer: 'https://auth.example.com', audience: 'https://app.example.com' }),
  store,
  keyring,
  timeouts: { idle: '30m', absolute: '7d' },
  roles: ROLES,
})
export const accounts = createAccounts({ store, keyring, sessions, roles: ROLES })

/** The only user there is. */
export const ALICE = { identifier: 'alice@example.com', password: 'correct horse battery staple' }
const registered = await accounts.register(ALICE)
if (!registered.ok) throw new Error(`nobody can log in: ${registered.reason}`)
await accounts.setRoles(registered.account.subject, ['user'])

/** Port of the server. Browsers take `http://localhost` for safe, so the cookies work without HTTPS. */
export const port = Number(process.env.PORT ?? 3000)
export const origins = [`http://localhost:${port}`]
export const listening = () => console.log(`listening on http://localhost:${port}`)

const page = (body: string) => `<!doctype html><meta charset="utf-8"><title>Countersign</title>${body}`

/** A form that needs no script. `reason` and `returnTo` are in the query of whoever was sent here. */
export const loginPage = (query: URLSearchParams) =>
  page(`<h1>Log in</h1><p>${text(query.get('reason') ?? '')}</p>
    <form method="post" action="/auth/login">
      <input name="identifier" type="email" autocomplete="username" value="${ALICE.identifier}">
      <input name="password" type="password" autocomplete="current-password">
      <input name="returnTo" type="hidden" value="${text(query.get('returnTo') ?? '/')}">
      <button>Log in</button>
    </form>`)

export const homePage = (subject: string) =>
  page(
    `<h1>Hello</h1><p>You are ${text(subject)}.</p><form method="post" action="/auth/logout"><button>Log out</button></form>`,
  )

/** Nothing of a request is ever part of a page as it is. */
const text = (value: string) => value.replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`)
