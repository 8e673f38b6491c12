import { randomBytes } from 'node:crypto'
import { samples } from 'countersign/conformance'
import type { Store } from 'countersign/stores/contract'

const { createRule, endRule, GRACE, presented, recordOf, replaceRule, rotationRule, subjectRef, successorOf } = samples

/** Every step of a store that writes, with its name, each of which has something to write when they run in this order. */
export function everyStep({ sessions, accounts, revocations, once }: Store): [string, () => Promise<unknown>][] {
  const ref = subjectRef()
  const [record, next] = [recordOf(ref), recordOf(ref)]
  const [now, later] = [record.createdAtMs, record.createdAtMs + GRACE]
  const [place, hash] = [new Uint8Array(randomBytes(32)), new Uint8Array(randomBytes(32))]
  const account = {
    ...ref,
    identifier: ref.subject,
    version: 1,
    passwordHash: 'phc',
    passwordChangedAtMs: now,
    roles: [],
    blocked: null,
    createdAtMs: now,
    unsettled: null,
  }
  return Object.entries({
    create: () => sessions.create(record, createRule, now),
    touch: () => sessions.touch(record.id, { idleAtMs: record.idleAtMs + 1 }, now),
    update: () => sessions.update(record.id, { data: '1' }, 1, now),
    rotate: () => sessions.rotate(record.id, presented(0), successorOf(0), rotationRule, later),
    'set roles': () => sessions.setRoles(ref, [], later),
    replace: () => sessions.replace(record.id, next, replaceRule, later),
    end: () => sessions.end(next.id, 'logout', endRule, later),
    'end all and block': () => sessions.endSubject(ref, 'banned', { block: true }, later),
    deny: () => revocations.deny(ref, 'jti', later + GRACE, later),
    'raise the floor': () => sessions.raiseFloor('admin', later),
    'create an account': () => accounts.create(account),
    'replace an account': () => accounts.replace({ ...account, version: 2 }, 1),
    'put once': () => once.put(place, { hash, bytes: hash }, later),
    'take once': () => once.take(place, hash, now),
    claim: () => once.claim('scope', ref.subject, later, now),
  })
}
