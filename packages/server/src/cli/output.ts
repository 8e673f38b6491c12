import type { Ended } from 'countersign'
import { endedView } from '../http/views.ts'
import { EXIT } from './exit.ts'

/** Prints the result of a command: lines for people, or one JSON value for programs. */
export function print(asJson: boolean | undefined, value: unknown, lines: readonly string[]): void {
  process.stdout.write(asJson ? `${JSON.stringify(value)}\n` : lines.map((line) => `${line}\n`).join(''))
}

/** Columns of equal width. Text of others' making is kept on its line. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows.map((row) => row.map((cell) => cell.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?')))]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

/**
 * Prints what ending sessions did. This process is about to end, so nobody will do it again when the store forgets it in
 * a crash: then the command says so and exits with 5. Nor will it wait for a store that does not take it: 1.
 */
export function printEnded(asJson: boolean | undefined, done: Ended, what: string): void {
  const view = endedView(done)
  const count = `${view.ended} session${view.ended === 1 ? '' : 's'}`
  const effective = view.effectiveAt === null ? '' : `, effective ${view.effectiveAt}`
  print(asJson, view, [`${what}: ${count} ended${effective}, durability ${view.durability}`])
  warnOfDurability(done)
}

/** Sets the exit code for what is not sure to last. */
export function warnOfDurability({ durability }: Pick<Ended, 'durability'>): void {
  if (durability === 'replicated' || durability === 'fsynced') return
  if (durability === 'queued') {
    process.stderr.write(
      'countersign: the account is changed, but the store did not take the end of its sessions: the next login or command on the account finishes it\n',
    )
    process.exitCode = EXIT.failed
    return
  }
  process.stderr.write(
    `countersign: durability ${durability}: a crash of the store within the next moments could undo this\n`,
  )
  process.exitCode = EXIT.notDurable
}
