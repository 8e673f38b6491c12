import { createHash } from 'node:crypto'
import { u32be } from '../../internal/bytes.ts'
import type { OnceStore } from '../contract.ts'
import { int } from '../shared/arguments.ts'
import { checkClaim, checkHash, checkPlace, checkValue } from '../steps/once.ts'
import type { PostgresContext } from './postgres-sessions.ts'

/** What may happen once, in the same database as the sessions. One statement each. */
export function postgresOnce({ executor, sql }: Pick<PostgresContext, 'executor' | 'sql'>): OnceStore {
  return {
    async put(place, value, untilMs) {
      const { hash, bytes } = checkValue(value)
      const row = [checkPlace(place), hash, bytes].map((one) => Buffer.from(one))
      await executor.run(sql.putOnce, [...row, int(untilMs, 'untilMs')])
    },
    async look(place, hash, nowMs) {
      const [row] = await executor.run(sql.lookOnce, valuesOf(place, hash, nowMs))
      return row ? new Uint8Array(row.body as Buffer) : null
    },
    async take(place, hash, nowMs) {
      const [row] = await executor.run(sql.takeOnce, valuesOf(place, hash, nowMs))
      return row!.body === null ? null : new Uint8Array(row!.body as Buffer)
    },
    async claim(scope, id, untilMs, nowMs) {
      checkClaim(scope, id)
      const [row] = await executor.run(sql.claimOnce, [
        digestOf(scope, id),
        int(untilMs, 'untilMs'),
        int(nowMs, 'nowMs'),
      ])
      return row!.claimed === true
    },
  }
}

function valuesOf(place: Uint8Array, hash: Uint8Array, nowMs: number): unknown[] {
  return [Buffer.from(checkPlace(place)), Buffer.from(checkHash(hash, 'hash')), int(nowMs, 'nowMs')]
}

/** As long for all of them: both together may be more than an index of Postgres takes. */
function digestOf(scope: string, id: string): Buffer {
  const scopeBytes = Buffer.from(scope)
  return createHash('sha256').update(u32be(scopeBytes.length)).update(scopeBytes).update(id).digest()
}
