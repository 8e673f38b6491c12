import { invalidInput } from '../../internal/errors.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Durable, SessionStore, StoreDurability } from '../contract.ts'
import { checkTag, int, isSessionId, tagOf, utf8 } from '../shared/arguments.ts'
import { key } from '../shared/escapes.ts'
import { placeOf } from '../steps/list.ts'
import type { Row } from './driver.ts'
import type { Requests } from './executor.ts'
import { corruptFault } from './faults.ts'
import {
  decodeFound,
  decodeGone,
  decodeOrigin,
  decodeRecord,
  encodeData,
  encodeOrigin,
  encodeRecord,
} from './record-codec.ts'
import type { Statement, Statements } from './statements.ts'

/** What the stores of one database share. */
export interface PostgresContext {
  readonly executor: Requests
  readonly sql: Statements
  /** What an acknowledged write is worth, as far as the server's settings prove it. */
  readonly durability: () => StoreDurability
}

type SubjectSteps = Omit<SessionStore, 'floor' | 'raiseFloor'>

/** The session store: one statement, one round trip and one transaction per method. */
export function postgresSessions({ executor, sql, durability }: PostgresContext): SubjectSteps {
  const write = async (tag: string, statement: Statement, values: readonly unknown[]): Promise<Row> =>
    (await executor.run(statement, values, tag))[0] ?? unexpected()
  const durable = (row: Row): Durable => ({
    ids: row.ids as SessionId[],
    epoch: row.epoch as number,
    durability: durability(),
  })

  return {
    async create(record, { limit, ifEpoch, floorMs, accessMs }, nowMs) {
      const { row: session, data } = encodeRecord(record)
      const row = await write(tagOf(record.id), sql.createSession, [
        session,
        data,
        int(limit.max, 'limit.max'),
        limit.overflow,
        ifEpoch === null ? null : int(ifEpoch, 'ifEpoch'),
        int(floorMs, 'floorMs'),
        int(accessMs, 'accessMs'),
        int(nowMs, 'nowMs'),
      ])
      switch (row.outcome) {
        case 'created':
          return {
            is: row.outcome,
            evicted: row.ids as SessionId[],
            stamp: row.stamp as number,
            durability: durability(),
          }
        case 'limit':
        case 'blocked':
        case 'stale_epoch':
        case 'exists':
          return { is: row.outcome }
        default:
          return unexpected()
      }
    },

    async read(id) {
      if (!isSessionId(id)) return { is: 'unknown' }
      return decodeFound((await executor.run(sql.readSession, [id]))[0])
    },

    async update(id, { data, dataVersion, operationId }, expectedVersion, nowMs) {
      const row = await write(tagOf(id), sql.updateSession, [
        id,
        encodeData(data),
        dataVersion === undefined ? null : int(dataVersion, 'dataVersion'),
        operationId === undefined ? null : key(operationId),
        int(expectedVersion, 'expectedVersion'),
        int(nowMs, 'nowMs'),
      ])
      switch (row.outcome) {
        case 'stored':
        case 'repeated':
          return { is: row.outcome, record: decodeRecord(row), durability: durability() }
        case 'conflict':
        case 'expired':
          return { is: row.outcome, record: decodeRecord(row) }
        default:
          return decodeGone(row)
      }
    },

    async touch(id, { idleAtMs, generation }, nowMs) {
      const confirmed = generation === undefined ? null : int(generation, 'generation')
      const values = [id, int(idleAtMs, 'idleAtMs'), confirmed, int(nowMs, 'nowMs')]
      await write(tagOf(id), sql.touchSession, values)
    },

    async rotate(id, presented, next, rule, nowMs) {
      const row = await write(tagOf(id), sql.rotateSession, [
        id,
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
        int(rule.floorMs, 'floorMs'),
        int(rule.accessMs, 'accessMs'),
        rule.use === null ? null : int(rule.use.idleAtMs, 'idleAtMs'),
        rule.use === null ? null : int(rule.use.persistentIdleAtMs, 'persistentIdleAtMs'),
        int(nowMs, 'nowMs'),
      ])
      switch (row.outcome) {
        case 'rotated':
        case 'replayed':
        case 'current':
          return {
            is: row.outcome,
            record: decodeRecord(row),
            previousOrigin: decodeOrigin(row.previous_origin),
            stamp: row.stamp as number,
            durability: durability(),
          }
        case 'reused':
        case 'rolled_back':
        case 'expired':
        case 'too_many_replays':
          return { is: row.outcome, record: decodeRecord(row) }
        default:
          return decodeGone(row)
      }
    },

    async replace(old, next, { accessMs, floorMs }, nowMs) {
      if (tagOf(next.id) !== tagOf(old)) throw invalidInput('next.id', 'must belong to the same subject')
      // Without data: the step takes that of the old session.
      const { row: session } = encodeRecord({ ...next, data: null })
      const row = await write(tagOf(old), sql.replaceSession, [
        old,
        session,
        int(floorMs, 'floorMs'),
        int(accessMs, 'accessMs'),
        int(nowMs, 'nowMs'),
      ])
      switch (row.outcome) {
        case 'replaced':
          return {
            is: row.outcome,
            record: decodeRecord(row),
            stamp: row.stamp as number,
            durability: durability(),
          }
        case 'expired':
          return { is: row.outcome, record: decodeRecord(row) }
        case 'blocked':
        case 'exists':
          return { is: row.outcome }
        default:
          return decodeGone(row)
      }
    },

    async end(id, why, { unknownUntilMs, stamped }, nowMs) {
      const values = [id, key(why), int(unknownUntilMs, 'unknownUntilMs'), stamped, int(nowMs, 'nowMs')]
      return durable(await write(tagOf(id), sql.endSession, values))
    },

    async endSubject({ tag }, why, { except, block }, nowMs) {
      // The id of another subject spares nothing.
      const spared = except !== undefined && tagOf(except) === tag ? except : null
      const values = [checkTag(tag), key(why), spared, block ?? null, int(nowMs, 'nowMs')]
      return durable(await write(tag, sql.endSubject, values))
    },

    async setRoles({ tag }, roles, nowMs) {
      return durable(await write(tag, sql.setRoles, [checkTag(tag), roles.map(key), int(nowMs, 'nowMs')]))
    },

    async subject({ tag }, nowMs) {
      const [row = unexpected()] = await executor.run(sql.readSubject, [checkTag(tag), int(nowMs, 'nowMs')])
      return { epoch: row.epoch as number, blocked: row.blocked as boolean, live: row.live as number }
    },

    async list({ tag }, after, { limit, floorMs }, nowMs) {
      const place = after === null ? null : utf8(after, 'after')
      const values = [checkTag(tag), place, int(limit + 1, 'limit'), int(floorMs, 'floorMs'), int(nowMs, 'nowMs')]
      const rows = await executor.run(sql.listSessions, values)
      const items = rows.slice(0, limit).map(decodeRecord)
      return { items, next: rows.length > limit ? placeOf(items.at(-1)!) : null }
    },

    async sweep(nowMs, limit) {
      const [row = unexpected()] = await executor.run(sql.sweep, [int(limit, 'limit'), int(nowMs, 'nowMs')])
      return row.gone as number
    },
  }
}

function unexpected(): never {
  throw corruptFault('the answer of a step')
}
