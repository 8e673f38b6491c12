import type { SessionId } from '../../session/ids.ts'
import type { EndReason } from '../../session/reasons.ts'
import type { RevocationStore } from '../contract.ts'
import { checkTag, int } from '../shared/arguments.ts'
import { key, unkey } from '../shared/escapes.ts'
import type { PostgresContext } from './postgres-sessions.ts'

/** The revocation record of a subject: a row, and one for each session and token that is refused by itself. */
export function postgresRevocations({ executor, sql, durability }: PostgresContext): RevocationStore {
  return {
    async deny({ tag, subject, tenant }, jti, untilMs, nowMs) {
      const named = [checkTag(tag), key(subject), tenant === undefined ? null : key(tenant)]
      const values = [...named, key(jti), int(untilMs, 'untilMs'), int(nowMs, 'nowMs')]
      const [row] = await executor.run(sql.denyToken, values, tag)
      return { ids: [], epoch: row!.epoch as number, durability: durability() }
    },

    async read(tag) {
      const [row] = await executor.run(sql.readRevocations, [checkTag(tag)])
      if (!row) return { is: 'lost' }
      const sids = new Map<SessionId, EndReason>()
      const jtis = new Set<string>()
      for (const [kind, id, why] of row.denials as [string, string, string][]) {
        if (kind === 'sid') sids.set(id as SessionId, unkey(why))
        else jtis.add(unkey(id))
      }
      const tenant = row.tenant === null ? {} : { tenant: unkey(row.tenant as string) }
      return {
        is: 'known',
        subject: unkey(row.subject as string),
        ...tenant,
        notBefore: row.not_before as number,
        sids,
        jtis,
      }
    },
  }
}
