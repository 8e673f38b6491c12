import { createHash } from 'node:crypto'
import { toBase64url, u32be } from '../../internal/bytes.ts'
import { invalidInput } from '../../internal/errors.ts'
import type { SessionId } from '../../session/ids.ts'
import type { IdentifierRef, Place } from '../contract.ts'

/** Every key that the store uses. The part in braces is the Redis Cluster hash tag: one slot per subject. */
export interface Keys {
  /** Record or tombstone of one session. */
  session(id: SessionId): string
  /** Index, epoch and block of a subject. */
  subject(tag: string): string
  revocations(tag: string): string
  account(tag: string): string
  /** In a slot of its own: it is looked up before the subject is known. */
  identifier(ref: IdentifierRef): string
  /** In a slot of its own each, as nothing else is known of it. */
  once(place: Place): string
  claim(scope: string, id: string): string
  readonly floor: string
}

export function keysWith(prefix: string): Keys {
  return {
    session: (id) => `${prefix}:{${tagOf(id)}}:s:${id}`,
    subject: (tag) => `${prefix}:{${checkTag(tag)}}:u`,
    revocations: (tag) => `${prefix}:{${checkTag(tag)}}:r`,
    account: (tag) => `${prefix}:{${checkTag(tag)}}:a`,
    identifier: (ref) => `${prefix}:{${digestOf(ref)}}:i`,
    once: (place) => `${prefix}:{once:${toBase64url(place)}}`,
    claim: (scope, id) => `${prefix}:{claim:${digestOf({ tenant: scope, identifier: id })}}`,
    floor: `${prefix}:{floor}`,
  }
}

/** The tag of an id. An id of another shape would lead to keys that no script expects. */
export function tagOf(id: SessionId): string {
  if (!isSessionId(id)) throw invalidInput('id', 'must be a session id')
  return id.slice(0, 12)
}

export function isSessionId(id: string): id is SessionId {
  return /^[A-Za-z0-9_-]{34}$/.test(id)
}

function checkTag(tag: string): string {
  if (!/^[A-Za-z0-9_-]{12}$/.test(tag)) throw invalidInput('tag', 'must be 12 characters of base64url')
  return tag
}

/** Identifiers are text of any kind; their hash is as long for all of them, and says nothing in a list of keys. */
function digestOf({ tenant = '', identifier }: IdentifierRef): string {
  const tenantBytes = Buffer.from(tenant)
  return createHash('sha256')
    .update(u32be(tenantBytes.length))
    .update(tenantBytes)
    .update(identifier)
    .digest('base64url')
}
