import type { SessionId } from '../../session/ids.ts'
import type { Found, RevocationStore, SessionStore, StoreDurability } from '../contract.ts'
import { create, replace } from './create.ts'
import { type Changed, denyJti, end, endSubject, setRoles } from './end.ts'
import { list, subjectGate } from './list.ts'
import { rotate, touch } from './rotate.ts'
import type { Shard } from './shard.ts'
import { update } from './update.ts'

/** Runs one step on the shard of a subject with nothing else in between, all of it or nothing of it. */
export interface Section {
  /**
   * `weak` allows the write to be lost with the power. `ending`: what cannot be read counts as absent and goes, because
   * nothing may stay alive for being damaged; every other step is refused by it (`ERR_STORE_CORRUPT`).
   */
  write<T>(tag: string, step: (shard: Shard) => T, how?: 'weak' | 'ending'): Promise<T>
  /** `snapshot`: the step asks for more than one thing, and the answers must belong together. */
  read<T>(tag: string, step: (shard: Shard) => T, snapshot?: 'snapshot'): Promise<T>
  /** What a write of this store is worth. */
  readonly durability: StoreDurability
}

type Floors = Pick<SessionStore, 'floor' | 'raiseFloor' | 'sweep'>

/** The session and revocation stores of everything that can run a step in this process. */
export function stepStore(
  section: Section,
  floors: Floors,
): { readonly sessions: SessionStore; readonly revocations: RevocationStore } {
  const { durability } = section
  const durable = (changed: Changed) => ({ ...changed, durability })
  const sessions: SessionStore = {
    ...floors,
    async create(record, rule, nowMs) {
      const done = await section.write(tagOf(record.id), (shard) => create(shard, record, rule, nowMs))
      return done.is === 'created' ? { ...done, durability } : done
    },
    read: (id) => section.read(tagOf(id), (shard): Found => shard.find(id) ?? { is: 'unknown' }),
    async update(id, change, expectedVersion, nowMs) {
      const done = await section.write(tagOf(id), (shard) => update(shard, id, change, expectedVersion, nowMs))
      switch (done.is) {
        case 'stored':
        case 'repeated':
          return { is: done.is, record: done.record, durability }
        case 'conflict':
        case 'expired':
          return { is: done.is, record: done.record }
        default:
          return done
      }
    },
    touch: (id, seen, nowMs) => section.write(tagOf(id), (shard) => touch(shard, id, seen, nowMs), 'weak'),
    async rotate(id, presented, next, rule, nowMs) {
      const done = await section.write(tagOf(id), (shard) => rotate(shard, id, presented, next, rule, nowMs))
      return 'stamp' in done ? { ...done, durability } : done
    },
    async replace(old, next, rule, nowMs) {
      const done = await section.write(tagOf(old), (shard) => replace(shard, old, next, rule, nowMs))
      return done.is === 'replaced' ? { ...done, durability } : done
    },
    end: async (id, why, rule, nowMs) =>
      durable(await section.write(tagOf(id), (shard) => end(shard, id, why, rule, nowMs), 'ending')),
    endSubject: async (subject, why, rule, nowMs) =>
      durable(await section.write(subject.tag, (shard) => endSubject(shard, why, rule, nowMs), 'ending')),
    setRoles: async (subject, roles, nowMs) =>
      durable(await section.write(subject.tag, (shard) => setRoles(shard, roles, nowMs))),
    subject: (subject, nowMs) => section.read(subject.tag, (shard) => subjectGate(shard, nowMs), 'snapshot'),
    list: (subject, after, rule, nowMs) => section.read(subject.tag, (shard) => list(shard, after, rule, nowMs)),
  }
  const revocations: RevocationStore = {
    deny: async (subject, jti, untilMs, nowMs) =>
      durable(await section.write(subject.tag, (shard) => denyJti(shard, subject, jti, untilMs, nowMs))),
    read: (tag) =>
      section.read(tag, (shard) => {
        const state = shard.revocations()
        if (!state) return { is: 'lost' }
        const { subject, tenant, notBefore } = state
        const sids = new Map([...state.sids].map(([sid, entry]) => [sid, entry.why]))
        const jtis = new Set(state.jtis.keys())
        return { is: 'known', subject, ...(tenant !== undefined && { tenant }), notBefore, sids, jtis }
      }),
  }
  return { sessions, revocations }
}

/** The tag of an id: everything about one subject is kept together. */
export function tagOf(id: SessionId): string {
  return id.slice(0, 12)
}
