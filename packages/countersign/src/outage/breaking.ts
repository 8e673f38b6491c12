import type { ChangeFeed, RevocationStore, SessionStore } from '../stores/contract.ts'
import type { ReadFor } from '../stores/read-for.ts'
import type { Breaker } from './breaker.ts'

/**
 * The stores, with every call that somebody waits for through the breaker. What looks after failovers is not: it asks twice a
 * second at most, nobody waits for it, and doing again what was lost must not come late.
 */
export function breaking(
  { sessions, revocations }: { readonly sessions: SessionStore; readonly revocations?: RevocationStore | undefined },
  breaker: Breaker,
): { readonly sessions: SessionStore & ReadFor; readonly revocations: RevocationStore | undefined } {
  const { changes, failovers } = sessions
  const sweep = sessions.sweep?.bind(sessions)
  failovers?.onChange(() => breaker.probeNow())
  return {
    sessions: {
      create: (record, rule, nowMs) => breaker.call(() => sessions.create(record, rule, nowMs)),
      read: (id, last) => breaker.call(() => sessions.read(id, last)),
      readFor: (id, last, made) => breaker.call(() => sessions.read(id, last), made),
      update: (id, change, version, nowMs) => breaker.call(() => sessions.update(id, change, version, nowMs)),
      touch: (id, seen, nowMs) => breaker.call(() => sessions.touch(id, seen, nowMs)),
      rotate: (id, presented, next, rule, nowMs) =>
        breaker.call(() => sessions.rotate(id, presented, next, rule, nowMs)),
      replace: (old, next, rule, nowMs) => breaker.call(() => sessions.replace(old, next, rule, nowMs)),
      end: (id, why, rule, nowMs) => breaker.call(() => sessions.end(id, why, rule, nowMs)),
      endSubject: (ref, why, rule, nowMs) => breaker.call(() => sessions.endSubject(ref, why, rule, nowMs)),
      setRoles: (ref, roles, nowMs) => breaker.call(() => sessions.setRoles(ref, roles, nowMs)),
      subject: (ref, nowMs) => breaker.call(() => sessions.subject(ref, nowMs)),
      list: (ref, after, rule, nowMs) => breaker.call(() => sessions.list(ref, after, rule, nowMs)),
      floor: () => breaker.call(() => sessions.floor()),
      raiseFloor: (why, nowMs) => breaker.call(() => sessions.raiseFloor(why, nowMs)),
      ...(sweep && { sweep: (nowMs: number, limit: number) => breaker.call(() => sweep(nowMs, limit)) }),
      ...(changes && { changes: breakingFeed(changes, breaker) }),
      ...(failovers && { failovers }),
    },
    revocations: revocations && {
      read: (tag) => breaker.call(() => revocations.read(tag)),
      deny: (ref, jti, untilMs, nowMs) => breaker.call(() => revocations.deny(ref, jti, untilMs, nowMs)),
    },
  }
}

/** The reads; what proves copies current has a pace and deadlines of its own. */
function breakingFeed(changes: ChangeFeed, breaker: Breaker): ChangeFeed {
  return {
    mode: changes.mode,
    open(listener, clock) {
      const feed = changes.open(listener, clock)
      return {
        read: (id) => breaker.call(() => feed.read(id)),
        readRevocations: (tag) => breaker.call(() => feed.readRevocations(tag)),
        status: () => feed.status(),
        close: () => feed.close(),
      }
    },
  }
}
