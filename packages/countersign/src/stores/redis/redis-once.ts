import { equalBytes } from '../../internal/bytes.ts'
import { isKnownFormat, unknownFormat } from '../../internal/format.ts'
import type { OnceStore } from '../contract.ts'
import { int } from '../shared/arguments.ts'
import { checkClaim, checkHash, checkPlace, checkValue } from '../steps/once.ts'
import type { RedisContext } from './redis-sessions.ts'
import { scripts } from './scripts.generated.ts'
import { Cursor, corrupt, unsigned } from './segments.ts'

/** A value is: format (u8), until (6 bytes), hash (32), and what was put. `scripts/take-once-1.lua` reads the head. */
const FORMAT = 1
const HASH_BYTES = 32
const WHAT = 'a one-time token'

/** What may happen once. One key and one request each. */
export function redisOnce({ executor, keys }: Pick<RedisContext, 'executor' | 'keys'>): OnceStore {
  return {
    async put(place, value, untilMs) {
      const { hash, bytes } = checkValue(value)
      const head = Buffer.alloc(7)
      head.writeUInt8(FORMAT, 0)
      head.writeUIntBE(unsigned(untilMs, 6, 'untilMs'), 1, 6)
      const key = keys.once(checkPlace(place))
      await executor.send(key, ['SET', key, Buffer.concat([head, hash, bytes]), 'PXAT', int(untilMs, 'untilMs')])
    },
    async look(place, hash, nowMs) {
      const kept = await executor.get(keys.once(checkPlace(place)))
      if (kept === null) return null
      const { untilMs, bytes, ...of } = decode(kept)
      return untilMs > nowMs && equalBytes(of.hash, checkHash(hash, 'hash')) ? bytes : null
    },
    async take(place, hash, nowMs) {
      const args = [int(nowMs, 'nowMs'), Buffer.from(checkHash(hash, 'hash'))]
      const kept = await executor.run(scripts.takeOnce, [keys.once(checkPlace(place))], args)
      if (kept === null) return null
      return Buffer.isBuffer(kept) ? decode(kept).bytes : unreadable()
    },
    async claim(scope, id, untilMs, nowMs) {
      checkClaim(scope, id)
      const args = [int(nowMs, 'nowMs'), int(untilMs, 'untilMs')]
      return (await executor.run(scripts.claimOnce, [keys.claim(scope, id)], args)) === 1
    },
  }
}

function decode(kept: Buffer) {
  const cursor = new Cursor(kept, WHAT)
  const format = cursor.uint(1)
  if (!isKnownFormat(format, FORMAT)) throw unknownFormat(`${WHAT} in Redis`, format, FORMAT, 'redis')
  const untilMs = cursor.uint(6)
  const hash = cursor.bytes(HASH_BYTES)
  return { untilMs, hash, bytes: new Uint8Array(kept.subarray(1 + 6 + HASH_BYTES)) }
}

function unreadable(): never {
  throw corrupt('the answer of a script')
}
