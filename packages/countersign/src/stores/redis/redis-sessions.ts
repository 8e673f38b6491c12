import { invalidInput } from '../../internal/errors.ts'
import type { SessionId, SubjectRef } from '../../session/ids.ts'
import type { Durable, Found, LastRead, SessionStore, Written } from '../contract.ts'
import { int, isSessionId, tagOf, utf8 } from '../shared/arguments.ts'
import type { Reply, Requests } from './executor.ts'
import { decodeOrigin, encodeOrigin } from './identity-codec.ts'
import type { Keys } from './keys.ts'
import { Answer, goneOf, type Writer } from './outcome.ts'
import { decodeKept, encodeRecord, encodeRoles } from './record-codec.ts'
import { scripts } from './scripts.generated.ts'
import { corrupt } from './segments.ts'

/** What the stores of one Redis share. */
export interface RedisContext {
  readonly executor: Requests
  readonly keys: Keys
  /** What an acknowledged write is worth, as far as the server's settings prove it. */
  written(writer: Writer): Written
  /** The same after waiting for replicas, where there are any. `null`: the floor. */
  confirmed(tag: string | null, writer: Writer): Promise<Written>
}

type SubjectSteps = Omit<SessionStore, 'floor' | 'raiseFloor' | 'failovers'>

/** The session store: one script and one request per method, `read` a plain GET. */
export function redisSessions({ executor, keys, written, confirmed }: RedisContext): SubjectSteps {
  /** Keys of scripts about one session that also read or write the revocation record. */
  const wide = (id: SessionId) => [...narrow(id).slice(0, 1), keys.revocations(tagOf(id)), keys.session(id)]
  const narrow = (id: SessionId) => [keys.subject(tagOf(id)), keys.session(id)]
  /** The answer of a script that ends sessions: {epoch, primary, n, n ids, ids known to have ended}. */
  const ended = async (tag: string, answer: Answer): Promise<Durable> => {
    const split = 3 + answer.number(2)
    const [ids, known] = [answer.ids(3, split), answer.ids(split)]
    return { epoch: answer.number(0), ids, ended: known, ...(await confirmed(tag, answer.writer(1))) }
  }
  const wished = (id: SessionId, writer: Writer, durable: 'replicated' | undefined) =>
    durable === undefined ? written(writer) : confirmed(tagOf(id), writer)
  const subjectKeys = ({ tag }: SubjectRef) => [keys.subject(tag), keys.revocations(tag)]

  return {
    async create(record, rule, nowMs) {
      const { limit, ifEpoch, ifPrimary, floorMs, accessMs } = rule
      const answer = new Answer(
        await executor.run(scripts.createSession, wide(record.id), [
          int(nowMs, 'nowMs'),
          encodeRecord(record),
          int(limit.max, 'limit.max'),
          limit.overflow,
          ifEpoch === null ? '' : int(ifEpoch, 'ifEpoch'),
          int(floorMs, 'floorMs'),
          int(accessMs, 'accessMs'),
          ifPrimary === undefined ? '' : int(ifPrimary, 'ifPrimary'),
        ]),
      )
      const is = answer.outcome()
      switch (is) {
        case 'created': {
          const done = await wished(record.id, answer.writer(2), rule.durable)
          return { is, stamp: answer.number(1), evicted: answer.ids(3), ...done }
        }
        case 'limit':
        case 'blocked':
        case 'stale_epoch':
        case 'exists':
          return { is }
        default:
          return unexpected()
      }
    },

    read(id, last): Promise<Found> {
      // Whoever has asked before has had the id looked at.
      if (last?.found === undefined && !isSessionId(id)) return Promise.resolve({ is: 'unknown' })
      if (last === undefined) return executor.read(keys.session(id), (value) => foundOf(id, value))
      return executor.read(keys.session(id), (value) => foundAgain(id, value, last))
    },

    async update(id, { data, dataVersion, operationId, durable }, expectedVersion, nowMs) {
      if (operationId === '') throw invalidInput('operationId', 'must not be empty')
      const answer = new Answer(
        await executor.run(scripts.updateSession, narrow(id), [
          int(nowMs, 'nowMs'),
          int(expectedVersion, 'expectedVersion'),
          utf8(data, 'data'),
          utf8(operationId ?? '', 'operationId'),
          dataVersion === undefined ? '' : int(dataVersion, 'dataVersion'),
        ]),
      )
      const is = answer.outcome()
      switch (is) {
        case 'stored':
        case 'repeated':
          return { is, record: answer.record(1, id), ...(await wished(id, answer.writer(2), durable)) }
        case 'conflict':
        case 'expired':
          return { is, record: answer.record(1, id) }
        default:
          return goneOf(answer, id)
      }
    },

    async touch(id, { idleAtMs, generation }, nowMs) {
      const confirmed = generation === undefined ? '' : int(generation, 'generation')
      await executor.run(scripts.touchSession, narrow(id), [int(nowMs, 'nowMs'), int(idleAtMs, 'idleAtMs'), confirmed])
    },

    async rotate(id, presented, next, rule, nowMs) {
      const answer = new Answer(
        await executor.run(scripts.rotateSession, wide(id), [
          int(nowMs, 'nowMs'),
          int(presented.generation, 'generation'),
          Buffer.from(presented.hash),
          Buffer.from(next.hash),
          int(next.rotationKey, 'rotationKey'),
          int(next.macKey, 'macKey'),
          int(next.refreshAtMs, 'refreshAtMs'),
          encodeOrigin(next.origin),
          int(rule.graceMs, 'graceMs'),
          rule.replay,
          int(rule.maxReplays, 'maxReplays'),
          int(rule.accessMs, 'accessMs'),
          int(rule.floorMs, 'floorMs'),
          rule.use === null ? '' : int(rule.use.idleAtMs, 'idleAtMs'),
          rule.use === null ? '' : int(rule.use.persistentIdleAtMs, 'persistentIdleAtMs'),
          rule.trusts === null ? 'none' : (rule.trusts ?? ''),
        ]),
      )
      const is = answer.outcome()
      switch (is) {
        case 'rotated':
        case 'replayed':
        case 'current': {
          const previousOrigin = decodeOrigin(answer.text(3)) ?? unexpected()
          const record = answer.record(1, id)
          const done = await wished(id, answer.writer(4), rule.durable)
          return { is, record, previousOrigin, stamp: answer.number(2), ...done }
        }
        case 'reused':
        case 'rolled_back': {
          const { by } = answer.writer(2)
          return { is, record: answer.record(1, id), ...(by !== undefined && { by }) }
        }
        case 'expired':
        case 'too_many_replays':
          return { is, record: answer.record(1, id) }
        default:
          return goneOf(answer, id)
      }
    },

    async replace(old, next, { accessMs, floorMs, durable }, nowMs) {
      if (tagOf(next.id) !== tagOf(old)) throw invalidInput('next.id', 'must belong to the same subject')
      const args = [int(nowMs, 'nowMs'), encodeRecord(next), int(accessMs, 'accessMs'), int(floorMs, 'floorMs')]
      const answer = new Answer(await executor.run(scripts.replaceSession, [...wide(old), keys.session(next.id)], args))
      const is = answer.outcome()
      switch (is) {
        case 'replaced': {
          const done = await wished(old, answer.writer(3), durable)
          return { is, record: answer.record(1, next.id), stamp: answer.number(2), ...done }
        }
        case 'expired':
          return { is, record: answer.record(1, old) }
        case 'blocked':
        case 'exists':
          return { is }
        default:
          return goneOf(answer, old)
      }
    },

    async end(id, why, { unknownUntilMs, stamped }, nowMs) {
      const args = [
        int(nowMs, 'nowMs'),
        utf8(why, 'reason'),
        int(unknownUntilMs, 'unknownUntilMs'),
        stamped ? '1' : '0',
      ]
      return ended(tagOf(id), new Answer(await executor.run(scripts.endSession, wide(id), args)))
    },

    async endSubject(subject, why, { except, block }, nowMs) {
      // The id of another subject spares nothing.
      const spared = except !== undefined && tagOf(except) === subject.tag ? except : ''
      const blocks = block === undefined ? '' : block ? '1' : '0'
      const args = [int(nowMs, 'nowMs'), utf8(why, 'reason'), spared, blocks]
      return ended(subject.tag, new Answer(await executor.run(scripts.endSubject, subjectKeys(subject), args)))
    },

    async setRoles(subject, roles, nowMs) {
      const args = [int(nowMs, 'nowMs'), encodeRoles(roles)]
      const answer = new Answer(await executor.run(scripts.setRoles, subjectKeys(subject), args))
      const done = await confirmed(subject.tag, answer.writer(1))
      return { epoch: answer.number(0), ids: answer.ids(2), ...done }
    },

    async subject({ tag }, nowMs) {
      const reply = await executor.run(scripts.readSubject, [keys.subject(tag)], [int(nowMs, 'nowMs')])
      const answer = new Answer(reply)
      const { by } = answer.writer(3)
      const gate = { epoch: answer.number(0), blocked: answer.number(1) === 1, live: answer.number(2) }
      return { ...gate, ...(by !== undefined && { by }) }
    },

    async list({ tag }, after, { limit, floorMs }, nowMs) {
      const args = [int(nowMs, 'nowMs'), utf8(after ?? '', 'after'), int(limit, 'limit'), int(floorMs, 'floorMs')]
      const answer = new Answer(await executor.run(scripts.listSessions, [keys.subject(tag)], args))
      const items = []
      for (let at = 1; at < answer.length; at += 2) items.push(answer.record(at + 1, answer.text(at) as SessionId))
      return { items, next: answer.text(0) || null }
    },
  }
}

/** What the key of a session holds. */
/** The same object as the last time when the store says the same. */
function foundAgain(id: SessionId, value: Buffer | null, last: LastRead): Found {
  if (value === null) return { is: 'unknown' }
  // Text, because that is in the heap and holds no buffer of the connection alive.
  const raw = value.toString('latin1')
  if (last.found !== undefined && raw === last.raw) return last.found
  last.found = foundOf(id, value)
  last.raw = raw
  return last.found
}

export function foundOf(id: SessionId, reply: Reply): Found {
  if (reply === null) return { is: 'unknown' }
  return Buffer.isBuffer(reply) ? decodeKept(id, reply) : unexpected()
}

function unexpected(): never {
  throw corrupt('the answer of a script')
}
