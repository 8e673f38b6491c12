import type { ChangeFeed, Feed, FeedListener, Line, RevocationStore, SessionStore } from '../contract.ts'
import type { ShardChanges } from './memory-shard.ts'

/** Tells of every change in the step that makes it. There is nothing in between that could lose one, so no fences. */
export class MemoryFeed implements ChangeFeed {
  readonly mode = 'own'
  readonly #stores: Readonly<{ sessions: Pick<SessionStore, 'read'>; revocations: Pick<RevocationStore, 'read'> }>
  readonly #listeners = new Map<FeedListener, OwnLine>()

  constructor(stores: { sessions: Pick<SessionStore, 'read'>; revocations: Pick<RevocationStore, 'read'> }) {
    this.#stores = stores
  }

  open(listener: FeedListener): Feed {
    const { sessions, revocations } = this.#stores
    const line = new OwnLine()
    this.#listeners.set(listener, line)
    return {
      read: async (id) => ({ found: await sessions.read(id), line }),
      readRevocations: async (tag) => ({ found: await revocations.read(tag), line }),
      status: () => ({ lines: [{ name: 'memory', isOpen: line.isOpen, fenceAgeMs: 0 }], warnings: [] }),
      close: async () => this.#end(listener, line),
    }
  }

  /** For the shard of one subject. */
  changesOf(tag: string): ShardChanges {
    return {
      sessionChanged: (id) => {
        for (const listener of this.#listeners.keys()) listener.sessionChanged(id)
      },
      revocationsChanged: () => {
        for (const listener of this.#listeners.keys()) listener.revocationsChanged(tag)
      },
    }
  }

  /** When the store is closed. */
  end(): void {
    for (const [listener, line] of this.#listeners) this.#end(listener, line)
  }

  #end(listener: FeedListener, line: OwnLine): void {
    if (!line.isOpen) return
    this.#listeners.delete(listener)
    listener.reset(line)
    line.fencedMonotonicMs = Number.NEGATIVE_INFINITY
  }
}

class OwnLine implements Line {
  fencedMonotonicMs = Number.POSITIVE_INFINITY
  readonly fencedWallMs = Number.POSITIVE_INFINITY
  get isOpen(): boolean {
    return this.fencedMonotonicMs > 0
  }
}
