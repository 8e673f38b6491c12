// What the lab tells a server, and what both sides know.
import type { KeyringFile } from 'countersign'

export const ISSUER = 'https://auth.example.com'
/** The service that is asked. */
export const API = 'https://api.example.com'
/** Another one of the same house, whose tokens have no business here. */
export const OTHER = 'https://reports.example.com'
/** Devices of one user. */
export const DEVICE_LIMIT = 2
export const GRACE_MS = 1_000

export type StoreKind = 'memory' | 'sqlite' | 'redis' | 'redis-cluster' | 'postgres'
export type StrategyName = 'opaque' | 'stateless' | 'denylist' | 'allowlist'

/** Where the data is. `urls`: of the server, or of some nodes of the cluster; for SQLite the file. */
export interface StoreAt {
  readonly kind: StoreKind
  readonly urls: readonly string[]
}

export interface Told {
  readonly strategy?: StrategyName
  readonly store: StoreAt
  /** Of the keys in Redis, so that rows do not meet. */
  readonly prefix: string
  readonly keyring: KeyringFile
  /** Of rows that sign with a text. */
  readonly secret: string
  readonly alg: 'HS256' | 'ES256'
  readonly accessSeconds: number
  readonly nearCache: boolean
  /** Where the public keys are, for who verifies by nothing else. */
  readonly jwks?: string
}

/** The first line that a server writes. */
export interface Ready {
  readonly port: number
}

/** What a login or a renewal answers. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken?: string
  readonly accessExpiresAtMs: number
  readonly sid?: string
}

/** What the lab sends: to each route the part that it takes. */
export interface Sent {
  readonly subject: string
  readonly roles: ('user' | 'admin')[]
  readonly audience?: string
  readonly refreshToken: string
  readonly theme: string
  readonly token: string
  readonly count: number
}

/** What may come back. */
export interface Answered extends Partial<Tokens> {
  readonly reason?: string
  readonly theme?: string
  readonly token?: string
  readonly tokens?: readonly string[]
  /** Of the store, by name: how often. */
  readonly calls?: Readonly<Record<string, number>>
  readonly bytes?: number
  readonly file?: string
  readonly warnings?: readonly unknown[]
}
