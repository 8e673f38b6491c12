// The server of the simulated world: the very steps that every store is held against, a log from which an older copy of
// everything can be had, and what CLIENT TRACKING does.
import type { Floor, SessionId } from 'countersign/stores/contract'
import { type Gate, type Kept, type RevocationState, type Shard, stepStore } from 'countersign/stores/steps'
import type { World } from './world.ts'

type Record = Extract<Kept, { is: 'live' }>['record']
type Tombstone = Extract<Kept, { is: 'ended' }>['tombstone']

/** Records are replaced, never changed, so a copy of the maps is a copy of everything. */
class SimulatedShard implements Shard {
  readonly changed = new Set<string>()
  readonly #tag: string
  readonly #kept: Map<SessionId, Kept>
  #gate: Gate | undefined
  #revocations: RevocationState | undefined

  constructor(tag: string, from?: SimulatedShard) {
    this.#tag = tag
    this.#kept = new Map(from ? from.#kept : [])
    this.#gate = from?.gate()
    this.#revocations = from?.revocations()
  }

  gate(): Gate | undefined {
    return this.#gate
  }
  setGate(gate: Gate): void {
    this.#gate = gate
  }
  revocations(): RevocationState | undefined {
    return this.#revocations
  }
  setRevocations(state: RevocationState): void {
    this.#revocations = state
    this.changed.add(revocationsKey(this.#tag))
  }
  find(id: SessionId): Kept | undefined {
    return this.#kept.get(id)
  }
  records(): readonly Record[] {
    return [...this.#kept.values()].flatMap((kept) => (kept.is === 'live' ? [kept.record] : []))
  }
  tombstones(): readonly Tombstone[] {
    return [...this.#kept.values()].flatMap((kept) => (kept.is === 'ended' ? [kept.tombstone] : []))
  }
  put(record: Record): void {
    this.#set(record.id, { is: 'live', record })
  }
  bury(tombstone: Tombstone): void {
    this.#set(tombstone.id, { is: 'ended', tombstone })
  }
  forget(id: SessionId): void {
    this.#kept.delete(id)
    this.changed.add(id)
  }

  #set(id: SessionId, kept: Kept): void {
    this.#kept.set(id, kept)
    this.changed.add(id)
  }
}

export const revocationsKey = (tag: string) => `revocations of ${tag}`

/** A connection that is told of changes. */
export interface Tracker {
  /** `null`: everything has changed. */
  push(keys: readonly string[] | null): void
}

export class Primary {
  readonly store: ReturnType<typeof stepStore>
  readonly #world: World
  #shards = new Map<string, SimulatedShard>()
  #floor: Floor = { notBeforeMs: 0, why: 'admin', marker: 'simulated' }
  #log: { readonly atMs: number; readonly tag: string; readonly shard: SimulatedShard }[] = []
  readonly #tracked = new Map<string, Set<Tracker>>()
  readonly #trackers = new Set<Tracker>()

  constructor(world: World) {
    this.#world = world
    this.store = stepStore(
      {
        durability: 'local',
        write: async (tag, step) => {
          const shard = new SimulatedShard(tag, this.#shards.get(tag))
          const done = step(shard)
          this.#shards.set(tag, shard)
          this.#log.push({ atMs: world.nowMs, tag, shard })
          this.#changed([...shard.changed])
          return done
        },
        read: async (tag, step) => step(this.#shards.get(tag) ?? new SimulatedShard(tag)),
      },
      {
        floor: async () => this.#floor,
        raiseFloor: async (why, nowMs) => {
          if (nowMs > this.#floor.notBeforeMs) this.#floor = { ...this.#floor, notBeforeMs: nowMs, why }
          return { notBeforeMs: this.#floor.notBeforeMs, durability: 'local' }
        },
      },
    )
  }

  get nowMs(): number {
    return this.#world.startMs + this.#world.nowMs
  }

  connect(tracker: Tracker): void {
    this.#trackers.add(tracker)
  }
  disconnect(tracker: Tracker): void {
    this.#trackers.delete(tracker)
    for (const trackers of this.#tracked.values()) trackers.delete(tracker)
  }

  track(key: string, tracker: Tracker): void {
    if (!this.#trackers.has(tracker)) return
    const trackers = this.#tracked.get(key) ?? new Set()
    this.#tracked.set(key, trackers.add(tracker))
  }

  /** Each tracker is told once, and then no more until it reads the key again. */
  #changed(keys: readonly string[]): void {
    for (const key of keys) {
      for (const tracker of this.#tracked.get(key) ?? []) tracker.push([key])
      this.#tracked.delete(key)
    }
  }

  /** Forgets what it tracks, and says so. */
  resetTracking(): void {
    this.#tracked.clear()
    for (const tracker of this.#trackers) tracker.push(null)
  }

  /** A replica takes over that has what was written until so long ago. Every connection has to be broken by the caller. */
  failOver(lagMs: number): void {
    const untilMs = this.#world.nowMs - lagMs
    this.#log = this.#log.filter(({ atMs }) => atMs <= untilMs)
    this.#shards = new Map(this.#log.map(({ tag, shard }) => [tag, shard]))
    this.#tracked.clear()
    this.#trackers.clear()
  }
}
