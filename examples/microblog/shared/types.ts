// What the server and the page say to each other.

export const STRATEGIES = ['opaque', 'stateless', 'denylist', 'allowlist'] as const
export type StrategyName = (typeof STRATEGIES)[number]

/** Each account has one of them. */
export const ROLES = ['user', 'moderator', 'admin'] as const
export type Role = (typeof ROLES)[number]

/** Written into the page by the server. */
export interface Settings {
  readonly strategy: StrategyName
  /** How long an access token is good for, and a session: `10m`, `7d`. */
  readonly access: string
  readonly lifetime: string
  readonly devices: number
}

/** Who is signed in, by the token of the request. */
export interface Me {
  readonly session: {
    readonly id: string
    readonly subject: string
    readonly roles: readonly string[]
    readonly expiresAt: string
  }
}

export interface Post {
  readonly id: string
  readonly author: string
  readonly name: string
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly likes: number
  /** By whoever asks. */
  readonly liked: boolean
}

export interface Person {
  readonly subject: string
  readonly name: string
  readonly role: Role
  readonly banned: boolean
}

export interface Device {
  readonly id: string
  readonly current: boolean
  readonly userAgent: string
  readonly ip: string
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly seen: number
}

/** News, to every open page, or to the pages of one subject. */
export type News =
  | { readonly kind: 'post'; readonly post: Post }
  | {
      readonly kind: 'likes'
      readonly id: string
      readonly likes: number
      readonly by: string
      readonly liked: boolean
    }
  | { readonly kind: 'gone'; readonly id: string }
  | { readonly kind: 'people' }
  /** The role was raised: the next refresh brings it. */
  | { readonly kind: 'renew'; readonly to: string }

export const NAME = /^[a-z0-9_]{2,20}$/
export const MAX_TEXT = 280
