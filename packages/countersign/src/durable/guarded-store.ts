import { type SessionId, tagOfId } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { ChangeFeed, Floor, Gone, RevocationStore, SessionStore } from '../stores/contract.ts'
import type { ReadFor } from '../stores/read-for.ts'
import { type Asked, demoted, deny, denyTokens, ended, endOf, isBlocked } from './denials.ts'
import type { Queue } from './queue.ts'

/** Told of a session that ended beside what a caller asked for. */
type NoteEnded = (id: SessionId, why: EndReason, by: string | undefined) => Promise<void>

const NONE: readonly Asked[] = []

/** What may be done beside ending: the rest is for the revoker alone. */
export type GuardedSessions = Pick<
  SessionStore,
  'create' | 'read' | 'update' | 'touch' | 'rotate' | 'replace' | 'subject' | 'list' | 'floor' | 'failovers'
>
export type GuardedRevocations = Pick<RevocationStore, 'read'>

/**
 * The store as this process may use it: what waits to be ended is not shown, and nothing is written of a subject before
 * what waits for it. Costs a look into a map while nothing waits.
 */
export function guardSessions(sessions: SessionStore & ReadFor, queue: Queue, noteEnded: NoteEnded): GuardedSessions {
  const { failovers } = sessions
  const readFor = sessions.readFor ?? (async (id, last, made) => made(await sessions.read(id, last)))
  return {
    ...(failovers && { failovers }),
    read(id, last) {
      const gone = goneById(queue, id)
      if (gone) return Promise.resolve(gone)
      const waiting = whileAsking(queue, tagOfId(id))
      return readFor(id, last, (found) => deny(waiting(), found))
    },
    async create(record, rule, nowMs) {
      const tag = tagOfId(record.id)
      if (isBlocked(queue.of(tag))) return { is: 'blocked' }
      await queue.settle(tag)
      const done = await sessions.create(record, rule, nowMs)
      if (done.is === 'created') for (const id of done.evicted) await noteEnded(id, 'limit', done.by)
      return done
    },
    async update(id, change, expectedVersion, nowMs) {
      const gone = goneById(queue, id)
      if (gone) return gone
      await queue.settle(tagOfId(id))
      return sessions.update(id, change, expectedVersion, nowMs)
    },
    async touch(id, seen, nowMs) {
      if (!goneById(queue, id)) await sessions.touch(id, seen, nowMs)
    },
    async rotate(id, presented, next, rule, nowMs) {
      const gone = goneById(queue, id)
      if (gone) return gone
      await queue.settle(tagOfId(id))
      const done = await sessions.rotate(id, presented, next, rule, nowMs)
      if (done.is === 'reused' || done.is === 'rolled_back') await noteEnded(id, done.is, done.by)
      return done
    },
    async replace(old, next, rule, nowMs) {
      const gone = goneById(queue, old)
      if (gone) return gone
      await queue.settle(tagOfId(old))
      const done = await sessions.replace(old, next, rule, nowMs)
      if (done.is === 'replaced') await noteEnded(old, 'replaced', done.by)
      return done
    },
    async subject(subject, nowMs) {
      await queue.settle(subject.tag)
      return sessions.subject(subject, nowMs)
    },
    async list(subject, after, rule, nowMs) {
      const waiting = whileAsking(queue, subject.tag)
      const page = await sessions.list(subject, after, rule, nowMs)
      const asked = waiting()
      if (asked.length === 0) return page
      const items = page.items.filter((record) => endOf(asked, record) === undefined)
      return { ...page, items: items.map((record) => demoted(asked, record)) }
    },
    async floor() {
      return raised(queue, await sessions.floor())
    },
  }
}

export function guardRevocations(revocations: RevocationStore, queue: Queue): GuardedRevocations {
  return {
    async read(tag) {
      const waiting = whileAsking(queue, tag)
      const found = await revocations.read(tag)
      const asked = waiting()
      return asked.length === 0 || found.is === 'lost' ? found : denyTokens(asked, found)
    },
  }
}

/** The same for what is read to be kept: a copy must not show what waits to be ended. */
export function guardChanges(changes: ChangeFeed, queue: Queue): ChangeFeed {
  return {
    mode: changes.mode,
    open(listener, clock) {
      const feed = changes.open(
        {
          sessionChanged: (id) => listener.sessionChanged(id),
          revocationsChanged: (tag) => listener.revocationsChanged(tag),
          reset: (line) => listener.reset(line),
          floorRead: (floor, asked) => listener.floorRead(raised(queue, floor), asked),
          uses: () => listener.uses(),
        },
        clock,
      )
      return {
        async read(id) {
          const gone = goneById(queue, id)
          if (gone) return { found: gone }
          const waiting = whileAsking(queue, tagOfId(id))
          const tracked = await feed.read(id)
          return { ...tracked, found: deny(waiting(), tracked.found) }
        },
        async readRevocations(tag) {
          const waiting = whileAsking(queue, tag)
          const tracked = await feed.readRevocations(tag)
          const asked = waiting()
          if (asked.length === 0 || tracked.found.is === 'lost') return tracked
          return { ...tracked, found: denyTokens(asked, tracked.found) }
        },
        status: () => feed.status(),
        close: () => feed.close(),
      }
    },
  }
}

/**
 * What waits now or waited when the store was asked: it may have been done in between, and reads go over another
 * connection than writes, so that the answer may be from before it.
 */
function whileAsking(queue: Queue, tag: string): () => readonly Asked[] {
  const before = queue.size === 0 ? NONE : [...queue.of(tag)]
  return () => {
    const now = queue.size === 0 ? NONE : queue.of(tag)
    return before.length === 0 ? now : [...before, ...now]
  }
}

/** The session is to end, whatever its record says. */
function goneById(queue: Queue, id: SessionId): Extract<Gone, { is: 'ended' }> | undefined {
  if (queue.size === 0) return undefined
  const asked = queue.of(tagOfId(id))
  const why = asked.length === 0 ? undefined : endOf(asked, { id })
  return why === undefined ? undefined : (ended(id, why, asked) as Extract<Gone, { is: 'ended' }>)
}

function raised(queue: Queue, floor: Floor): Floor {
  let { notBeforeMs, why } = floor
  for (const { operation } of queue.of(null)) {
    if (operation.is === 'everyone' && operation.notBeforeMs > notBeforeMs) ({ notBeforeMs, why } = operation)
  }
  return { ...floor, notBeforeMs, why }
}
