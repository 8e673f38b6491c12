import { createHash } from 'node:crypto'
import { toBase64url, u32be } from '../../internal/bytes.ts'
import type { SessionId } from '../../session/ids.ts'
import type { IdentifierRef, Place } from '../contract.ts'
import { checkTag, isSessionId, tagOf } from '../shared/arguments.ts'

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
  /** What a key is about, if its change matters to a copy. */
  parse(key: string): Parsed | undefined
  /** Where `confirm` leaves its mark: in the slot of a subject, or of the floor. */
  mark(tag: string | null): string
}
export type Parsed =
  | { readonly is: 'session'; readonly id: SessionId }
  | { readonly is: 'revocations'; readonly tag: string }
  | { readonly is: 'floor' }

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
    parse(key) {
      if (key === this.floor) return { is: 'floor' }
      const tagAt = prefix.length + 2
      const [tag, rest] = [key.slice(tagAt, tagAt + 12), key.slice(tagAt + 12)]
      if (rest === '}:r' && key === this.revocations(tag)) return { is: 'revocations', tag }
      const id = rest.slice(4)
      return isSessionId(id) && key === this.session(id) ? { is: 'session', id } : undefined
    },
    mark: (tag) => `${prefix}:{${tag === null ? 'floor' : checkTag(tag)}}:w`,
  }
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
