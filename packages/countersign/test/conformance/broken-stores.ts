// The memory store, broken in one way each: what somebody who writes a store may get wrong.
import type { SessionId, SessionRecord, SessionStore, Store } from 'countersign/stores/contract'

export interface Broken {
  readonly how: string
  /** The case that has to fail. */
  readonly caught: string
  of(store: Store): Store
}

const sessions = (
  how: string,
  caught: string,
  change: (sessions: SessionStore, store: Store) => Partial<SessionStore>,
) =>
  ({
    how,
    caught,
    of: (store) => {
      // Reads over the feed would go past what is broken.
      const { changes: _changes, ...sessions } = store.sessions
      return { ...store, sessions: { ...sessions, ...change(store.sessions, store) } }
    },
  }) satisfies Broken
const part = <P extends keyof Store>(
  name: P,
  how: string,
  caught: string,
  change: (part: Store[P]) => Partial<Store[P]>,
) =>
  ({ how, caught, of: (store) => ({ ...store, [name]: { ...store[name], ...change(store[name]) } }) }) satisfies Broken

/** Remembers what was created, so that a broken store can bring it back. */
function remembering(real: SessionStore) {
  const known = new Map<SessionId, SessionRecord>()
  const create: SessionStore['create'] = async (record, rule, nowMs) => {
    const done = await real.create(record, rule, nowMs)
    if (done.is === 'created') known.set(record.id, record)
    return done
  }
  return { known, create }
}

export const BROKEN: readonly Broken[] = [
  sessions('touch revives', 'nothing saved late revives a session (end)', (real) => {
    const { known, create } = remembering(real)
    const revived = new Set<SessionId>()
    return {
      create,
      async touch(id, seen, nowMs) {
        await real.touch(id, seen, nowMs)
        if ((await real.read(id)).is === 'ended') revived.add(id)
      },
      read: async (id) => (revived.has(id) ? { is: 'live', record: known.get(id)! } : real.read(id)),
    }
  }),
  sessions('update creates', 'nothing saved late revives a session (unknown)', (real) => ({
    async update(id, change, expected, nowMs) {
      const done = await real.update(id, change, expected, nowMs)
      return done.is === 'unknown' ? { is: 'stored', record: {} as SessionRecord, durability: 'local' } : done
    },
  })),
  sessions(
    'update ignores the version',
    'update: the version counts, and one that is behind is told what is there',
    (real) => ({
      async update(id, change, _expected, nowMs) {
        const found = await real.read(id)
        return real.update(id, change, found.is === 'live' ? found.record.version : 1, nowMs)
      },
    }),
  ),
  sessions('update reads, then writes', 'update: of many at once with one version exactly one lands', (real) => ({
    async update(id, change, expected, nowMs) {
      const found = await real.read(id)
      if (found.is !== 'live' || found.record.version !== expected) return real.update(id, change, expected, nowMs)
      await new Promise((resolve) => setImmediate(resolve))
      const now = await real.read(id)
      return real.update(id, change, now.is === 'live' ? now.record.version : 1, nowMs)
    },
  })),
  sessions('end leaves no tombstone', 'end: leaves the reason until nothing can refer to the session', (real) => ({
    async read(id) {
      const found = await real.read(id)
      return found.is === 'ended' ? { is: 'unknown' } : found
    },
  })),
  sessions('create overwrites', 'create twice with one id: the second is refused and changes nothing', (real) => {
    const latest = new Map<SessionId, SessionRecord>()
    return {
      async create(record, rule, nowMs) {
        const done = await real.create(record, rule, nowMs)
        if (done.is !== 'exists') return done
        latest.set(record.id, record)
        return { is: 'created', evicted: [], stamp: nowMs, durability: 'local' }
      },
      read: async (id) => (latest.has(id) ? { is: 'live', record: latest.get(id)! } : real.read(id)),
    }
  }),
  sessions(
    'the limit is not enforced',
    'limit reject: the one above the limit is refused, the others stay',
    (real) => ({
      create: (record, rule, nowMs) =>
        real.create(record, { ...rule, limit: { max: 1_000, overflow: 'reject' } }, nowMs),
    }),
  ),
  sessions('the limit is read before the login', 'limit: twenty logins at once never exceed it', (real) => ({
    async create(record, rule, nowMs) {
      const before = await real.subject({ tag: record.id.slice(0, 12), subject: record.subject }, nowMs)
      if (before.live >= rule.limit.max) return real.create(record, rule, nowMs)
      await new Promise((resolve) => setImmediate(resolve))
      return real.create(record, { ...rule, limit: { ...rule.limit, max: 1_000 } }, nowMs)
    },
  })),
  sessions('a block is forgotten', 'a blocked subject gets no session, and gets one again when unblocked', (real) => ({
    endSubject: (ref, why, { block: _, ...rule }, nowMs) => real.endSubject(ref, why, rule, nowMs),
  })),
  sessions(
    'rotate makes two successors',
    'row 4: the previous token gives the same successor while that was not seen, however late',
    (real) => ({
      async rotate(id, presented, next, rule, nowMs) {
        const done = await real.rotate(id, presented, next, rule, nowMs)
        return done.is === 'replayed' ? { ...done, record: { ...done.record, hash: next.hash } } : done
      },
    }),
  ),
  sessions('rotate knows no reuse', 'row 6: two generations back is reuse, whatever was seen', (real) => ({
    async rotate(id, presented, next, rule, nowMs) {
      const found = await real.read(id)
      const isOld = found.is === 'live' && presented.generation < found.record.generation - 1
      return isOld ? { is: 'too_many_replays', record: found.record } : real.rotate(id, presented, next, rule, nowMs)
    },
  })),
  sessions(
    'rotate forgets the grace',
    'row 3: handed out less than the grace ago, it is not rotated again',
    (real) => ({
      rotate: (id, presented, next, rule, nowMs) => real.rotate(id, presented, next, { ...rule, graceMs: 0 }, nowMs),
    }),
  ),
  sessions('replace leaves the old id', 'replace: twice from one id, once it works', (real, store) => ({
    async replace(old, next, rule, nowMs) {
      const found = await real.read(old)
      if (found.is !== 'live') return real.replace(old, next, rule, nowMs)
      await store.sessions.create(next, { limit: { max: 1_000, overflow: 'reject' }, ifEpoch: null, ...rule }, nowMs)
      return { is: 'replaced', record: next, stamp: nowMs, durability: 'local' }
    },
  })),
  sessions('the epoch does not move', 'the epoch only grows, also with a clock that goes back', (real) => {
    const first = new Map<string, number>()
    const still = async (tag: string, epoch: number) => {
      if (!first.has(tag)) first.set(tag, epoch)
      return first.get(tag)!
    }
    return {
      async endSubject(ref, why, rule, nowMs) {
        const done = await real.endSubject(ref, why, rule, nowMs)
        return { ...done, epoch: await still(ref.tag, done.epoch) }
      },
    }
  }),
  sessions(
    'endSubject spares one',
    'endSubject: ends all, moves the epoch, and leaves other subjects alone',
    (real) => ({
      async endSubject(ref, why, rule, nowMs) {
        const { items } = await real.list(ref, null, { limit: 1, floorMs: 0 }, nowMs)
        const spared = items[0]?.id
        return real.endSubject(ref, why, { ...rule, ...(spared && !rule.except && { except: spared }) }, nowMs)
      },
    }),
  ),
  sessions(
    'setRoles adds at once',
    'setRoles: a role lost is gone at once from every session, one gained waits for the next rotation',
    (real) => ({
      async read(id) {
        const found = await real.read(id)
        if (found.is !== 'live' || !found.record.pendingRoles) return found
        return { is: 'live', record: { ...found.record, roles: found.record.pendingRoles, pendingRoles: null } }
      },
    }),
  ),
  sessions('the floor goes down', 'the floor only rises, and keeps what raised it and the marker', (real) => {
    let floorMs: number | undefined
    return {
      async raiseFloor(why, nowMs) {
        const done = await real.raiseFloor(why, nowMs)
        floorMs = nowMs
        return { ...done, notBeforeMs: nowMs }
      },
      async floor() {
        const floor = await real.floor()
        return { ...floor, notBeforeMs: floorMs ?? floor.notBeforeMs }
      },
    }
  }),
  sessions('list gives what has ended', 'list: by creation time and id, in pages, without what is over', (real) => {
    const { known, create } = remembering(real)
    return {
      create,
      async list(ref, after, rule, nowMs) {
        const page = await real.list(ref, after, rule, nowMs)
        if (page.next !== null) return page
        const mine = [...known.values()].filter((one) => one.id.startsWith(ref.tag))
        const found = await Promise.all(mine.map((one) => real.read(one.id)))
        return { ...page, items: [...page.items, ...mine.filter((_, i) => found[i]!.is === 'ended')] }
      },
    }
  }),
  sessions('the deadline is one millisecond late', 'whichever comes first ends it: idle', (real) => ({
    update: (id, change, expected, nowMs) => real.update(id, change, expected, nowMs - 1),
  })),
  sessions(
    'sweep takes tombstones',
    'sweep: takes what is over, never more than was asked for, and nothing that can still be referred to',
    (real) => ({
      sweep: (nowMs, limit) => real.sweep!(nowMs + 86_400_000, limit),
    }),
  ),
  part(
    'revocations',
    'a denied token is forgotten',
    'revocations: one token can be refused, with any name',
    (real) => ({
      deny: async (ref, _jti, untilMs, nowMs) => real.deny(ref, 'another', untilMs, nowMs),
    }),
  ),
  part(
    'accounts',
    'an account is replaced from any version',
    'accounts: replaced only from the version that was read',
    (real) => ({
      async replace(account) {
        const kept = await real.bySubject(account)
        return real.replace(account, kept?.version ?? 1)
      },
    }),
  ),
  part(
    'accounts',
    'the identifier is looked up before it is claimed',
    'accounts: of twenty registrations at once with one identifier one wins',
    (real) => ({
      async create(account) {
        if (await real.subjectOf(account)) return { is: 'exists' }
        await new Promise((resolve) => setImmediate(resolve))
        await real.create(account)
        return { is: 'created' }
      },
    }),
  ),
  part('once', 'take gives twice', 'once: what was put is seen until it is taken, and taken once', (real) => ({
    take: (place, hash, nowMs) => real.look(place, hash, nowMs),
  })),
  part(
    'once',
    'take looks, then removes',
    'once: of twenty takes at once exactly one wins, in every round',
    (real) => ({
      async take(place, hash, nowMs) {
        const seen = await real.look(place, hash, nowMs)
        await real.take(place, hash, nowMs)
        return seen
      },
    }),
  ),
  part(
    'once',
    'a claim lasts for ever',
    'once: an id is claimed by exactly one, in its scope, until it is over',
    (real) => ({
      claim: (scope, id, _untilMs, nowMs) => real.claim(scope, id, Number.MAX_SAFE_INTEGER, nowMs),
    }),
  ),
  part('lifecycle', 'the clock goes back', 'the time is about right, and never goes back', (real) => {
    let calls = 0
    return { nowMs: () => real.nowMs() - (++calls % 2) * 10 }
  }),
  part('lifecycle', 'any placement key will do', 'ready: the store belongs to one placement key', () => ({
    ready: async () => {},
  })),
  part('lifecycle', 'close closes nothing', 'close: may be called twice, and every call after it is refused', () => ({
    close: async () => {},
  })),
]
