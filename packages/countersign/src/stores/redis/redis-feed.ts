import { CountersignError } from '../../internal/errors.ts'
import type { Clock, Runtime } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type { ChangeFeed, Feed, FeedListener, FeedStatus, Found, Revocations, Tracked } from '../contract.ts'
import { isSessionId } from '../shared/arguments.ts'
import { Deadlines } from '../shared/deadlines.ts'
import type { Argument, Reply } from './executor.ts'
import { closedFault, timeoutFault } from './faults.ts'
import type { Keys } from './keys.ts'
import { revocationsOf } from './redis-revocations.ts'
import { foundOf } from './redis-sessions.ts'
import type { LineOwner } from './tracked-line.ts'
import type { TrackedPrimary } from './tracked-primary.ts'

/** The servers that tell of changes: the only one, or each primary of a cluster. */
export interface Primaries {
  /** The one that has a key now; `undefined` while nobody knows. */
  of(key: string): TrackedPrimary | undefined
  all(): readonly TrackedPrimary[]
}

/** Whose lines report to `owner`. */
export type OpenPrimaries = (
  owner: Pick<LineOwner, 'changed' | 'reset'>,
  listener: FeedListener,
  clock: Clock,
) => Primaries

export interface RedisFeedParts {
  readonly open: OpenPrimaries
  readonly keys: Keys
  readonly runtime: Runtime
  readonly deadlineMs: number
  /** The same reads on the connection of commands, for when no line is there. */
  read(id: SessionId): Promise<Found>
  readRevocations(tag: string): Promise<Revocations | { readonly is: 'lost' }>
  /** Throws when the server is not to be asked anything. */
  guard(): void
}

/** Changes by `CLIENT TRACKING`: see `docs/design/0005-near-cache.md`. */
export function redisFeed(parts: RedisFeedParts): ChangeFeed {
  return { mode: 'push', open: (listener, clock) => new RedisFeed(parts, listener, clock) }
}

class RedisFeed implements Feed {
  readonly #parts: RedisFeedParts
  readonly #primaries: Primaries
  readonly #deadlines: Deadlines
  #closed = false

  constructor(parts: RedisFeedParts, listener: FeedListener, clock: Clock) {
    this.#parts = parts
    this.#deadlines = new Deadlines(parts.runtime, parts.deadlineMs)
    const { keys } = parts
    const owner = {
      reset: (line: Parameters<LineOwner['reset']>[0]) => listener.reset(line),
      changed: (key: string) => {
        const what = keys.parse(key)
        if (what?.is === 'session') listener.sessionChanged(what.id)
        else if (what?.is === 'revocations') listener.revocationsChanged(what.tag)
        // The floor: the next fence brings it, so it comes now.
        else if (what?.is === 'floor') for (const primary of this.#primaries.all()) primary.fenceNow()
      },
    }
    this.#primaries = parts.open(owner, listener, clock)
  }

  async read(id: SessionId): Promise<Tracked<Found>> {
    if (!isSessionId(id)) return { found: { is: 'unknown' } }
    const key = this.#parts.keys.session(id)
    const decode = (reply: Reply) => foundOf(id, reply)
    return this.#ask(key, ['GET', key], decode, () => this.#parts.read(id))
  }

  async readRevocations(tag: string): Promise<Tracked<Revocations | { readonly is: 'lost' }>> {
    const key = this.#parts.keys.revocations(tag)
    const decode = (reply: Reply) => revocationsOf(tag, reply)
    return this.#ask(key, ['HGETALL', key], decode, () => this.#parts.readRevocations(tag))
  }

  /** Over the line, and when that does not answer over the connection of commands, within one deadline. */
  async #ask<T>(
    key: string,
    command: readonly [string, ...Argument[]],
    decode: (reply: Reply) => T,
    directly: () => Promise<T>,
  ): Promise<Tracked<T>> {
    if (this.#closed) throw closedFault()
    this.#parts.guard()
    const line = this.#primaries.of(key)?.use()
    if (!line) return { found: await directly() }
    const asking = async (): Promise<Tracked<T>> => {
      let reply: Reply
      try {
        reply = await line.read(command)
      } catch (error) {
        // Asking twice changes nothing. Faults that the other connection has as well come from there.
        if (!(error instanceof CountersignError)) throw error
        return { found: await directly() }
      }
      return { found: decode(reply), line }
    }
    return this.#deadlines.within(asking(), timeoutFault)
  }

  status(): FeedStatus {
    const all = this.#primaries.all().map((primary) => primary.status())
    // Lines are made when they are first used.
    if (all.length === 0) return { lines: [], warnings: ['not used yet'] }
    const warnings = all.flatMap(({ name, why }) => (why === undefined ? [] : [`${name}: ${why}`]))
    return { lines: all.map(({ name, isOpen, fenceAgeMs }) => ({ name, isOpen, fenceAgeMs })), warnings }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all(this.#primaries.all().map((primary) => primary.close()))
    await this.#deadlines.idle()
  }
}
