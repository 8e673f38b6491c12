import type { SessionId } from '../../session/ids.ts'
import type { RevocationStore, Revocations } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import type { Reply } from './executor.ts'
import { Answer } from './outcome.ts'
import { pairsOf } from './pairs.ts'
import type { RedisContext } from './redis-sessions.ts'
import { scripts } from './scripts.generated.ts'
import { Cursor, corrupt } from './segments.ts'

const WHAT = 'a revocation record'

/** The revocation record of a subject: a hash that the session scripts write as well. `includes/revocations.lua`. */
export function redisRevocations({ executor, keys, confirmed }: RedisContext): RevocationStore {
  return {
    async deny({ tag, subject, tenant = '' }, jti, untilMs, nowMs) {
      const args = [
        int(nowMs, 'nowMs'),
        utf8(jti, 'jti'),
        int(untilMs, 'untilMs'),
        utf8(subject, 'subject'),
        utf8(tenant, 'tenant'),
      ]
      const answer = new Answer(await executor.run(scripts.denyToken, [keys.subject(tag), keys.revocations(tag)], args))
      return { ids: [], epoch: answer.number(0), ...(await confirmed(tag, answer.writer(1))) }
    },

    async read(tag) {
      const key = keys.revocations(tag)
      return revocationsOf(tag, await executor.send(key, ['HGETALL', key]))
    },
  }
}

/** What the hash of a tag holds. */
export function revocationsOf(tag: string, reply: Reply): Revocations | { readonly is: 'lost' } {
  const fields = pairsOf(reply)
  if (!fields) throw corrupt(WHAT)
  const head = fields.get('head')
  if (!head) return { is: 'lost' }
  const cursor = new Cursor(head, WHAT)
  const notBefore = cursor.uint(6)
  cursor.bytes(12)
  const [subject, tenant] = [cursor.segment(), cursor.segment()]
  const sids = new Map<string, string>()
  const jtis = new Set<string>()
  for (const [field, value] of fields) {
    if (field.startsWith('s:')) sids.set(`${tag}${field.slice(2)}` as SessionId, value.toString('utf8', 6))
    else if (field.startsWith('j:')) jtis.add(field.slice(2))
  }
  return { is: 'known', subject, ...(tenant !== '' && { tenant }), notBefore, sids, jtis }
}
