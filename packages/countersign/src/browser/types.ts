import type { Problem } from '../http/problem.ts'
import type { Platform } from './platform.ts'

/** A session as the service describes it to its owner (`docs/http-api.md`, "A session"). Holds no secret. */
export interface SessionInfo {
  /** A handle, not a credential. A step-up changes it. */
  readonly id: string
  readonly subject: string
  readonly roles: readonly string[]
  readonly audience: readonly string[]
  readonly clientId: string
  readonly acr: string
  readonly amr: readonly string[]
  /** This and all other times: ISO 8601 in UTC, by the clock of the server. */
  readonly authTime: string
  readonly createdAt: string
  readonly lastSeenAt: string
  readonly expiresAt: string
  readonly delivery: string
  readonly persistent: boolean
  readonly device?: { readonly id: string; readonly label?: string; readonly class?: string }
  readonly ip?: string
  readonly userAgent?: string
}

/** What a tab knows. A new object after each change, so it may be compared with `===`. */
export type SessionState =
  /** Not asked yet, not answered yet, or shown again by the back/forward cache: show nothing private. */
  | {
      readonly status: 'unknown'
      /** The last attempt to renew got no usable answer. It is tried again; nobody was signed out by it. */
      readonly unreachable: boolean
    }
  | { readonly status: 'signed_in'; readonly session: SessionInfo; readonly unreachable: boolean }
  | { readonly status: 'signed_out'; readonly reason: SignedOutReason }

/**
 * Why nobody is signed in: `endedBy`, else `reason`, else `code` of the server's problem (`docs/errors.md`), so `missing` for
 * a visitor without a cookie, `invalid_token` for a cookie that is not one of ours. Of the client itself: `logout`;
 * `cookies_blocked`, the browser does not keep the refresh cookie; `other_account`, another tab logged in as somebody else.
 */
export type SignedOutReason =
  | 'logout'
  | 'missing'
  | 'invalid_token'
  | 'reused'
  | 'expired_idle'
  | 'expired_absolute'
  | 'cookies_blocked'
  | 'other_account'
  | (string & {})

/** How a request for other credentials ended. What is not a success has the reason in the words of {@link SignedOutReason}. */
export type Exchanged =
  | {
      readonly ok: true
      readonly session: SessionInfo
      /** How safe the session is, `replicated` or `local`: where the server waited for replicas and says so. */
      readonly durability?: string
    }
  | {
      readonly ok: false
      readonly reason: SignedOutReason
      /** HTTP status; 0 when the client itself refused. */
      readonly status: number
      /** What the server said, where it said it as a problem. */
      readonly problem?: Problem
    }

/** Paths of the service, or of the handlers that an adapter mounted. Always of the page's own origin. */
export interface SessionPaths {
  /** Default `/auth/login`. */
  readonly login: string
  /** Default `/auth/refresh`. */
  readonly refresh: string
  /** Default `/auth/logout`. */
  readonly logout: string
  /** Default `/auth/reauth`. */
  readonly reauth: string
}

/** Everything has a default that suits `@countersign/server` on the origin of the page. */
export interface SessionClientOptions {
  readonly paths?: Partial<SessionPaths>
  /**
   * Further origins that get the access token, such as `https://api.example.com`, compared character by character.
   * Default none: only the page's own. WARNING: whoever serves such an origin can act as the user.
   */
  readonly origins?: readonly string[]
  /**
   * A request needs a fresh or a stronger proof. Ask for it, call `reauth`, and answer true: then the request is sent once
   * more. Otherwise the caller of `authFetch` gets the 401 as it came. Default: always that.
   */
  readonly onStepUp?: (problem: Problem) => boolean | Promise<boolean>
  /** The browser does not keep cookies. Default `console.warn`. */
  readonly onWarning?: (warning: 'cookies_blocked') => void
  /**
   * Milliseconds after which a renewal without an answer is given up. Default 9 000. It must be less than the `grace` of
   * the server (default 10 s), or a late answer can end the session.
   */
  readonly timeoutMs?: number
  /**
   * Whether a signed-in page that the browser shows again from its back/forward cache stays invisible until the server
   * was asked, and is reloaded if somebody else or nobody is signed in. Default true.
   */
  readonly hideWhenRestored?: boolean
  /** Replaces parts of the browser, for tests. */
  readonly platform?: Partial<Platform>
}

/** What {@link createSessionClient} returns. The methods do not use `this`. */
export interface SessionClient {
  /** What is known now. */
  readonly state: SessionState
  /** Calls `listener` after each change of `state`. Returns what ends that. */
  subscribe(listener: () => void): () => void
  /**
   * Calls `listener` each time this tab is signed out, in whatever tab that began, and when it finds out at the start that
   * nobody is signed in. Returns what ends that.
   */
  onSignedOut(listener: (reason: SignedOutReason) => void): () => void
  /**
   * Begins: listens to other tabs and asks the server who is signed in. Does it once; the other methods call it too.
   *
   * @returns The state once the server has answered, or with `unreachable` when it did not. Never rejects.
   */
  start(): Promise<SessionState>
  /**
   * `fetch` with the access token, for the page's own origin and `origins`; other requests, and those with an
   * `Authorization` of their own, go out as they are. Renews first if the token is nearly over. A 401 whose remedy is
   * `refresh` is followed by a renewal and by exactly one more attempt, unless `init.body` is a `ReadableStream`. When
   * nobody is signed in the request goes out without a token.
   *
   * @throws What `fetch` throws; also where the renewal that it needed met no network. A renewal that met an outage is
   * answered with the server's 503, never with 401.
   */
  authFetch(input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** `POST` to the login with the delivery `browser`. Two requests: the second one shows whether cookies are kept. */
  login(credentials: object): Promise<Exchanged>
  /** Proves the password (or what the server asks for) once more: a new session id and a fresh authentication time. */
  reauth(proof: object): Promise<Exchanged>
  /** `POST`, with the access token, to another route that answers as a login does, such as `/auth/password`. */
  exchange(path: string, body: object): Promise<Exchanged>
  /**
   * Ends the session on the server, and then signs out all tabs. When the server does not do it, nothing changes: the
   * cookie would still be good.
   *
   * @returns True once the server has said that it has ended the session (202, 204), or that there was none (its problem with
   *   400 or 401).
   * @throws What `fetch` throws.
   */
  logout(): Promise<boolean>
  /** Stops listening and renewing. The session goes on. */
  close(): void
}
