import type { Failovers } from '../contract.ts'
import { int, utf8 } from '../shared/arguments.ts'
import { Answer } from './outcome.ts'
import { encodeRoles } from './record-codec.ts'
import type { RedisContext } from './redis-sessions.ts'
import { scripts } from './scripts.generated.ts'

/** The parts that know the server. */
type Watched = Pick<Failovers, 'incarnationOf' | 'inChargeForMs' | 'onChange' | 'look'>

/** `SessionStore.failovers`: one script per subject does all of it again. */
export function redisFailovers({ executor, keys }: RedisContext, watched: Watched): Failovers {
  return {
    ...watched,
    async reapply(tag, { sessions, jtis, epoch, roles, block, unknownUntilMs }, nowMs) {
      const args = [
        int(nowMs, 'nowMs'),
        int(unknownUntilMs, 'unknownUntilMs'),
        int(epoch, 'epoch'),
        int(roles?.epoch ?? 0, 'roles.epoch'),
        encodeRoles(roles?.names ?? []),
        int(block?.epoch ?? 0, 'block.epoch'),
        block?.blocked ? '1' : '0',
        int(sessions.size, 'sessions'),
        ...[...sessions].flatMap(([id, why]) => [id, utf8(why, 'reason')]),
        ...[...jtis].flatMap(([jti, untilMs]) => [utf8(jti, 'jti'), int(untilMs, 'untilMs')]),
      ]
      const run = executor.run(scripts.reapplyRevocations, [keys.subject(tag), keys.revocations(tag)], args)
      const answer = new Answer(await run)
      return { by: answer.writer(0).by, lost: answer.number(1) === 1, ids: answer.ids(2) }
    },
  }
}
