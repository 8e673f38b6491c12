import { type SessionId, tagOfId } from '../session/ids.ts'
import type { RevocationStore, SessionStore } from '../stores/contract.ts'
import type { ReadFor } from '../stores/read-for.ts'

/** What a write of this process makes void. */
export interface OwnWrites {
  dropSession(id: SessionId): void
  dropSubject(tag: string): void
  dropAll(): void
}

/**
 * The stores, with everything dropped that a write changes: before it is sent, so that nobody is served a copy while it
 * is under way, and once more when it has ended, however it has: a read that was sent in between may have been executed
 * before it, because writes and tracked reads go over different connections. So this process reads what it wrote.
 */
export function droppingOwnWrites(
  {
    sessions,
    revocations,
  }: { readonly sessions: SessionStore & ReadFor; readonly revocations?: RevocationStore | undefined },
  drops: OwnWrites,
): { readonly sessions: SessionStore & ReadFor; readonly revocations: RevocationStore | undefined } {
  const session = <T>(id: SessionId, write: () => Promise<T>) => around(() => drops.dropSession(id), write)
  const subject = <T>(tag: string, write: () => Promise<T>) => around(() => drops.dropSubject(tag), write)
  const sweep = sessions.sweep?.bind(sessions)
  const failovers: SessionStore['failovers'] = sessions.failovers && {
    ...sessions.failovers,
    reapply: (tag, lost, nowMs) => subject(tag, () => sessions.failovers!.reapply(tag, lost, nowMs)),
  }
  return {
    sessions: {
      read: (id, last) => sessions.read(id, last),
      ...(sessions.readFor && { readFor: sessions.readFor }),
      subject: (ref, nowMs) => sessions.subject(ref, nowMs),
      list: (ref, after, rule, nowMs) => sessions.list(ref, after, rule, nowMs),
      floor: () => sessions.floor(),
      raiseFloor: (why, nowMs) =>
        around(
          () => drops.dropAll(),
          () => sessions.raiseFloor(why, nowMs),
        ),
      // What a sweep deletes is over, and a copy of it refuses itself.
      ...(sweep && { sweep }),
      ...(sessions.changes && { changes: sessions.changes }),
      ...(failovers && { failovers }),

      touch: (id, seen, nowMs) => session(id, () => sessions.touch(id, seen, nowMs)),
      update: (id, change, version, nowMs) => session(id, () => sessions.update(id, change, version, nowMs)),
      // May evict sessions of the subject.
      create: (record, rule, nowMs) => subject(tagOfId(record.id), () => sessions.create(record, rule, nowMs)),
      // Writes the revocation record as well.
      rotate: (id, presented, next, rule, nowMs) =>
        subject(tagOfId(id), () => sessions.rotate(id, presented, next, rule, nowMs)),
      replace: (old, next, rule, nowMs) => subject(tagOfId(old), () => sessions.replace(old, next, rule, nowMs)),
      // Follows an id that was replaced to another one of the subject.
      end: (id, why, rule, nowMs) => subject(tagOfId(id), () => sessions.end(id, why, rule, nowMs)),
      endSubject: (ref, why, rule, nowMs) => subject(ref.tag, () => sessions.endSubject(ref, why, rule, nowMs)),
      setRoles: (ref, roles, nowMs) => subject(ref.tag, () => sessions.setRoles(ref, roles, nowMs)),
    },
    revocations: revocations && {
      read: (tag) => revocations.read(tag),
      deny: (ref, jti, untilMs, nowMs) => subject(ref.tag, () => revocations.deny(ref, jti, untilMs, nowMs)),
    },
  }
}

async function around<T>(drop: () => void, write: () => Promise<T>): Promise<T> {
  drop()
  try {
    return await write()
  } finally {
    drop()
  }
}
