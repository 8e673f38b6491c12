import type { Keyring, Session, Sessions, Strategy } from 'countersign'
import type { Accounts, Recovery } from 'countersign/accounts'
import type { CookieNames } from 'countersign/http'
import type { ClientAuthentication, ServiceTokens, SessionAssertions } from 'countersign/oauth'
import type { OneTime } from 'countersign/one-time'
import type { Logger } from 'pino'
import type { ClientSetting } from '../config/clients.ts'
import type { UpstreamSetting } from '../config/upstreams.ts'
import type { Blur } from '../log.ts'
import type { MailSettings } from '../mail/deliver-by.ts'
import type { Later } from './later.ts'
import type { IsProxy } from './proxies.ts'

/** Sessions of the server: a record is read per request; whether there are refresh tokens is a setting. */
export type ServerSessions = Sessions<Strategy<'record', boolean, 'sessions'>, undefined, string>
export type ServerSession = Session<undefined, string>

/** What the application is built from. Everything is injected, so that a test can build it from its own parts. */
export interface AppParts {
  readonly sessions: ServerSessions
  readonly accounts: Accounts & Recovery
  readonly oneTime: OneTime
  readonly clients: ClientAuthentication<ClientSetting>
  /** Absent when there are no clients. */
  readonly serviceTokens: ServiceTokens | undefined
  /** Absent when there are no upstreams. */
  readonly assertions?: SessionAssertions | undefined
  readonly keyring: Keyring
  /** The store's time, in milliseconds since the epoch. */
  readonly nowMs: () => number
  readonly log: Logger
}

export interface AppSettings {
  readonly strategy: 'allowlist' | 'opaque'
  /** `iss` of our tokens. */
  readonly issuer: string
  /** Our own origins. A function, because the port may be known only after listening. */
  readonly origins: () => readonly string[]
  /** Browsers reach us by HTTPS, from us or from a proxy before us. */
  readonly overHttps: boolean
  readonly trustedProxies: readonly string[]
  /** What proxies may ask assertions for. Default none. */
  readonly upstreams?: readonly UpstreamSetting[]
  /** Where `GET /verify` sends whoever is not logged in. Default the page of this server, `/auth/login`. */
  readonly loginPath?: string
  /** Sends mails; absent: what there is to send is only in the log. */
  readonly mail?: MailSettings
  /** True once the server was told to stop: no connection is kept, and it is not ready. Default never. */
  readonly isStopping?: () => boolean
  /** PEM texts; absent: plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** What every route works with. */
export interface Kit extends AppParts {
  readonly settings: AppSettings
  readonly cookieNames: CookieNames
  readonly blur: Blur
  readonly isProxy: IsProxy
  /** For what nobody waits for. */
  readonly later: Later
}
