import type { SessionId } from '../session/ids.ts'
import type { EndReason } from '../session/reasons.ts'
import type { Incarnation, Lost } from '../stores/contract.ts'

/** What one revocation adds to what must not be forgotten of a subject. Survives JSON. Never a secret. */
export interface Note {
  /** `null`: the floor. */
  readonly tag: string | null
  /** The primary that has it. */
  readonly by: Incarnation
  /** Store time. */
  readonly atMs: number
  readonly epoch?: number
  readonly sessions?: readonly (readonly [SessionId, EndReason])[]
  readonly jtis?: readonly (readonly [string, number])[]
  readonly roles?: Lost['roles']
  readonly block?: Lost['block']
  readonly floor?: { readonly notBeforeMs: number; readonly why: EndReason }
}

/** Why a session had ended that somebody else ended: this process knows no more of it. */
export const ENDED_BY_OTHERS: EndReason = 'rolled_back'

/** Most subjects; the ones that have been held longest go first. 120 s of 800 revocations a second. */
const MAX_SUBJECTS = 100_000

interface Kept {
  by: Incarnation
  /** Of the newest note. */
  atMs: number
  epoch: number
  /** Counts notes. */
  version: number
  readonly sessions: Map<SessionId, { readonly why: EndReason; readonly atMs: number }>
  readonly jtis: Map<string, { readonly untilMs: number; readonly atMs: number }>
  roles: Lost['roles']
  block: Lost['block']
  floor: Note['floor']
}

/** A subject that has to be done again, by whom it is held now, and which state of it is meant. */
export interface Due {
  readonly tag: string | null
  readonly by: Incarnation
  readonly version: number
}

/**
 * What a failover or crash of the store could undo, by subject. Tagged with the primary that acknowledged it, or with
 * the oldest of them: then all of the subject is done again.
 */
export class Held {
  readonly #subjects = new Map<string | null, Kept>()
  #dropped = 0

  get size(): number {
    return this.#subjects.size
  }
  /** Subjects that were let go before their time, for want of room. */
  get dropped(): number {
    return this.#dropped
  }

  /** @returns What of the note was news: that is what a journal has to keep. */
  add(note: Note): Note {
    const { tag, by, atMs, epoch = 0, sessions = [], jtis = [], roles, block, floor } = note
    const kept = this.#subjects.get(tag) ?? this.#make(tag, by)
    kept.version++
    kept.atMs = Math.max(kept.atMs, atMs)
    kept.epoch = Math.max(kept.epoch, epoch)
    const news = sessions.filter(([id, why]) => {
      const known = kept.sessions.get(id)
      return known === undefined || (known.why === ENDED_BY_OTHERS && why !== ENDED_BY_OTHERS)
    })
    for (const [id, why] of news) kept.sessions.set(id, { why, atMs })
    for (const [jti, untilMs] of jtis) kept.jtis.set(jti, { untilMs, atMs })
    if (roles && roles.epoch > (kept.roles?.epoch ?? -1)) kept.roles = roles
    if (block && block.epoch > (kept.block?.epoch ?? -1)) kept.block = block
    if (floor && floor.notBeforeMs > (kept.floor?.notBeforeMs ?? -1)) kept.floor = floor
    return { ...note, sessions: news }
  }

  #make(tag: string | null, by: Incarnation): Kept {
    const kept: Kept = {
      by,
      atMs: 0,
      epoch: 0,
      version: 0,
      sessions: new Map(),
      jtis: new Map(),
      roles: undefined,
      block: undefined,
      floor: undefined,
    }
    if (this.#subjects.size >= MAX_SUBJECTS) {
      this.#subjects.delete(this.#subjects.keys().next().value!)
      this.#dropped++
    }
    this.#subjects.set(tag, kept)
    return kept
  }

  /** Subjects whose primary is another one now. One whose primary is not known is not due. */
  due(incarnationOf: (tag: string | null) => Incarnation | undefined): Due[] {
    return [...this.#subjects].flatMap(([tag, { by, version }]) => {
      const now = incarnationOf(tag)
      return now === undefined || now === by ? [] : [{ tag, by: now, version }]
    })
  }

  lost(tag: string, unknownUntilMs: number): Lost | undefined {
    const kept = this.#subjects.get(tag)
    if (!kept) return undefined
    const { sessions, jtis, epoch, roles, block } = kept
    return {
      sessions: new Map([...sessions].map(([id, { why }]) => [id, why])),
      jtis: new Map([...jtis].map(([jti, { untilMs }]) => [jti, untilMs])),
      epoch,
      ...(roles && { roles }),
      ...(block && { block }),
      unknownUntilMs,
    }
  }

  floor(): Note['floor'] {
    return this.#subjects.get(null)?.floor
  }

  /** All of the subject is with this primary, unless something was added meanwhile that may not be. */
  confirm({ tag, by, version }: { tag: string | null; by: Incarnation; version?: number }): boolean {
    const kept = this.#subjects.get(tag)
    if (!kept || (version !== undefined && version !== kept.version)) return false
    kept.by = by
    return true
  }

  /**
   * Lets go of what a primary that is still there has had for longer than `keepMs`: by then it is on replicas and disks.
   * While nobody answers, nothing grows old.
   */
  prune(nowMs: number, keepMs: number, incarnationOf: (tag: string | null) => Incarnation | undefined): void {
    for (const [tag, kept] of this.#subjects) {
      if (incarnationOf(tag) !== kept.by) continue
      if (kept.atMs + keepMs <= nowMs) this.#subjects.delete(tag)
      for (const parts of [kept.sessions, kept.jtis] as const) {
        for (const [name, { atMs }] of parts) if (atMs + keepMs <= nowMs) (parts as Map<string, unknown>).delete(name)
      }
    }
  }

  /** All of it, as notes. */
  *notes(): Iterable<Note> {
    for (const [tag, { by, atMs, epoch, sessions, jtis, roles, block, floor }] of this.#subjects) {
      yield {
        tag,
        by,
        atMs,
        epoch,
        sessions: [...sessions].map(([id, { why }]) => [id, why]),
        jtis: [...jtis].map(([jti, { untilMs }]) => [jti, untilMs]),
        ...(roles && { roles }),
        ...(block && { block }),
        ...(floor && { floor }),
      }
    }
  }
}
