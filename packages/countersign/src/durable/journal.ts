/**
 * Where revocations are kept that wait for the store, or that a failover of the store could undo, so that they outlive
 * this process. One process at a time; each has its own. `fileJournal` is one in a file; one in a table of a database of
 * yours needs these four methods.
 *
 * What is kept are lines of JSON: session ids, subjects, reasons, roles and times. Never a secret.
 */
export interface Journal {
  /** All lines that were appended, in order. Called once, first. Throws when another process has this journal. */
  open(): Promise<readonly string[]>
  /** Resolves when the lines would survive a crash of this machine. */
  append(lines: readonly string[]): Promise<void>
  /** Puts these lines in the place of all there are, or leaves all as it was. */
  replace(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}
