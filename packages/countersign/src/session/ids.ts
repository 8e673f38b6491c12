declare const brand: unique symbol
type Brand<N> = string & { readonly [brand]: N }

/**
 * The public handle of a session: 34 characters of base64url, of which the first 12 are the tag of its subject
 * (`docs/design/0001`). Never a credential; whoever holds it still has to prove who they are. It links sessions
 * of one subject, so logs print a salted hash of it.
 */
export type SessionId = Brand<'SessionId'>
/** A secret: what the client sends with each request. Never log it. */
export type AccessToken = Brand<'AccessToken'>
/** A secret: what the client exchanges for the next access token. Never log it. */
export type RefreshToken = Brand<'RefreshToken'>

/**
 * Whom a session belongs to. A plain string where there are no tenants; otherwise both, because the tenant is part of
 * the place where the sessions are kept. 1 to 256 characters each.
 */
export type Subject = string | { subject: string; tenant: string }

/** A subject with the tag under which a store keeps everything about it. Stores never see the key that makes tags. */
export interface SubjectRef {
  /** 12 characters of base64url; the Redis Cluster hash tag. */
  readonly tag: string
  readonly subject: string
  /** Absent when there are no tenants. Never empty. */
  readonly tenant?: string
}

/** The tag of the subject that a session belongs to. */
export function tagOfId(id: SessionId): string {
  return id.slice(0, 12)
}
