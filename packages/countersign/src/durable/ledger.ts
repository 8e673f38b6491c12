import type { Held, Note } from './held.ts'
import type { Journal } from './journal.ts'
import type { Operation } from './operations.ts'

/** A line of a journal. `docs/storage-schema.md` describes them. */
export type Entry =
  | { readonly held: Note }
  | { readonly reapplied: readonly (string | null)[]; readonly by: string }
  | { readonly queued: number; readonly atMs: number; readonly operation: Operation }
  | { readonly done: number }

/** Lines that may be behind before the journal is written anew. */
const MIN_BEHIND = 1_000

/** Writes entries to the journal, if there is one, and keeps it short. Never rejects: what could not be written is told. */
export class Ledger {
  readonly #journal: Journal | undefined
  readonly #onFailed: (error: unknown) => void
  readonly #snapshot: () => readonly Entry[]
  /** In the journal now, and after it was last written anew. */
  #lines = 0
  #kept = 0
  #fault: unknown
  #unreadable = 0

  /** @param snapshot - All that has to be kept at the moment. */
  constructor(journal: Journal | undefined, snapshot: () => readonly Entry[], onFailed: (error: unknown) => void) {
    this.#journal = journal
    this.#snapshot = snapshot
    this.#onFailed = onFailed
  }

  /** Whether what is written outlives this process. */
  get isDurable(): boolean {
    return this.#journal !== undefined && this.#fault === undefined
  }

  warnings(): string[] {
    const unreadable =
      this.#unreadable > 0 ? [`lines of the journal that could not be read: ${this.#unreadable} (promise 3)`] : []
    return this.#fault === undefined
      ? unreadable
      : [
          ...unreadable,
          'the journal cannot be written: what waits, or could be undone, ends with this process (promise 3)',
        ]
  }

  /** What an earlier process left. */
  async open(): Promise<readonly Entry[]> {
    const lines = (await this.#journal?.open()) ?? []
    this.#lines = lines.length
    return lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as Entry]
      } catch {
        this.#unreadable++
        return []
      }
    })
  }

  async write(...entries: Entry[]): Promise<void> {
    const journal = this.#journal
    if (!journal) return
    try {
      // What could not be written before is missing there, so all of it is written anew.
      if (this.#fault !== undefined) return await this.#rewrite(journal)
      this.#lines += entries.length
      // Begun in this turn, so that the order of the lines is the order of the calls.
      await journal.append(entries.map((entry) => JSON.stringify(entry)))
      if (this.#lines > MIN_BEHIND + 2 * this.#kept) await this.#rewrite(journal)
    } catch (error) {
      this.#fault = error
      this.#onFailed(error)
    }
  }

  async #rewrite(journal: Journal): Promise<void> {
    const kept = this.#snapshot()
    this.#lines = kept.length
    this.#kept = kept.length
    await journal.replace(kept.map((entry) => JSON.stringify(entry)))
    this.#fault = undefined
  }

  async close(): Promise<void> {
    await this.#journal?.close()
  }
}

/** What of these entries is still to be kept. */
export function replay(entries: readonly Entry[], held: Held) {
  const queued = new Map<number, { readonly atMs: number; readonly operation: Operation }>()
  for (const entry of entries) {
    if ('held' in entry) held.add(entry.held)
    else if ('reapplied' in entry) for (const tag of entry.reapplied) held.confirm({ tag, by: entry.by })
    else if ('queued' in entry) queued.set(entry.queued, entry)
    else if ('done' in entry) queued.delete(entry.done)
  }
  return queued
}
