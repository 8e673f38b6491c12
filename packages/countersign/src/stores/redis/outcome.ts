import type { SessionId } from '../../session/ids.ts'
import type { Gone, Incarnation } from '../contract.ts'
import type { Reply } from './executor.ts'
import { decodeKept } from './record-codec.ts'
import { corrupt } from './segments.ts'

/** What a script answers first, by its place. `scripts/includes/outcome.lua` has the same list; a test compares them. */
export const OUTCOMES = [
  'unknown',
  'ended',
  'created',
  'limit',
  'blocked',
  'stale_epoch',
  'exists',
  'stored',
  'repeated',
  'conflict',
  'expired',
  'rotated',
  'replayed',
  'current',
  'reused',
  'rolled_back',
  'too_many_replays',
  'replaced',
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Who ran a script, as `scripts/includes/primary.lua` tells it. */
export interface Writer {
  /** Absent where the user may not ask. */
  readonly by?: Incarnation
  /** Replicas connected to it. */
  readonly replicas: number
}

/** A reply of a script, taken apart. What does not have the shape that the script promises is `ERR_STORE_CORRUPT`. */
export class Answer {
  readonly #parts: readonly Reply[]

  constructor(reply: Reply) {
    if (!Array.isArray(reply)) throw corrupt('the answer of a script')
    this.#parts = reply
  }
  get length(): number {
    return this.#parts.length
  }
  outcome(): Outcome {
    return OUTCOMES[this.number(0)] ?? unreadable()
  }
  number(at: number): number {
    const part = this.#parts[at]
    return typeof part === 'number' ? part : unreadable()
  }
  bytes(at: number): Buffer {
    const part = this.#parts[at]
    return Buffer.isBuffer(part) ? part : unreadable()
  }
  text(at: number): string {
    return this.bytes(at).toString()
  }
  /** The ids from `at` to the end, or up to `end`. */
  ids(at: number, end = this.length): SessionId[] {
    return this.#parts.slice(at, end).map((_part, index) => this.text(at + index) as SessionId)
  }
  writer(at: number): Writer {
    const [by = '', replicas = '0'] = this.text(at).split(' ')
    return { ...(by !== '' && { by }), replicas: Number(replicas) }
  }
  /** The live record of the session `id`. */
  record(at: number, id: SessionId) {
    const kept = decodeKept(id, this.bytes(at))
    return kept.is === 'live' ? kept.record : unreadable()
  }
}

function unreadable(): never {
  throw corrupt('the answer of a script')
}

/** The part of every answer that is about a session which is not there. */
export function goneOf(answer: Answer, id: SessionId): Gone {
  if (answer.outcome() === 'unknown') return { is: 'unknown' }
  const kept = decodeKept(id, answer.bytes(1))
  return kept.is === 'ended' ? kept : unreadable()
}
