import { fromBase64url, toBase64url } from '../../internal/bytes.ts'
import type { OnceStore } from '../contract.ts'
import { checkClaim, checkPlace, checkValue } from '../steps/once.ts'
import { key } from './codec.ts'
import { fault } from './faults.ts'
import type { Runner } from './sqlite-accounts.ts'

/** What may happen once, in the same file as the sessions. One statement each. */
export function sqliteOnce({ write, read }: Runner): OnceStore {
  return {
    async put(place, value, untilMs) {
      const { hash, bytes } = checkValue(value)
      const row = [toBase64url(checkPlace(place)), toBase64url(hash), untilMs, toBase64url(bytes)] as const
      await write((sql) => sql.putOnce.run(...row))
    },
    look: async (place, hash, nowMs) =>
      read((sql) => bodyIn(sql.lookOnce.get(toBase64url(checkPlace(place)), toBase64url(hash), nowMs))),
    take: async (place, hash, nowMs) =>
      write((sql) => bodyIn(sql.takeOnce.get(toBase64url(checkPlace(place)), toBase64url(hash), nowMs))),
    async claim(scope, id, untilMs, nowMs) {
      checkClaim(scope, id)
      return write((sql) => Number(sql.claim.run(key(scope), key(id), untilMs, nowMs).changes) === 1)
    },
  }
}

function bodyIn(row: unknown): Uint8Array | null {
  if (row === undefined) return null
  const { body } = row as { body: unknown }
  const bytes = typeof body === 'string' ? fromBase64url(body) : undefined
  if (!bytes) throw fault('ERR_STORE_CORRUPT', 'a one-time token in the store cannot be read')
  return new Uint8Array(bytes)
}
