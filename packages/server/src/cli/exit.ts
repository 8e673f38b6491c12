import { CommanderError } from 'commander'
import { CountersignError } from 'countersign'
import { ConfigProblems } from '../config/resolve.ts'

/** How the command ends; `docs/configuration.md` lists them. */
export const EXIT = {
  ok: 0,
  /** Something did not work: the store, the disk, the network. */
  failed: 1,
  /** Wrong command line or configuration. */
  usage: 2,
  /** No such account or session. */
  notFound: 3,
  /** Asked and answered: no. */
  refused: 4,
  /** Done, but a crash of the store could undo it. */
  notDurable: 5,
} as const

/** Ends a command with a message and an exit code. */
export class Exit extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** Runs a command and turns whatever it throws into clear lines on standard error and an exit code. Never a stack. */
export async function finish(work: () => Promise<unknown>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const { status, lines } = verdict(error)
    for (const line of lines) process.stderr.write(`countersign: ${line}\n`)
    process.exitCode = status
  }
}

function verdict(error: unknown): { readonly status: number; readonly lines: readonly string[] } {
  // Commander has printed its own message.
  if (error instanceof CommanderError) return { status: error.exitCode === 0 ? EXIT.ok : EXIT.usage, lines: [] }
  if (error instanceof ConfigProblems) return { status: EXIT.usage, lines: error.problems }
  if (error instanceof Exit) return { status: error.status, lines: [error.message] }
  if (error instanceof CountersignError) {
    const isSetting = /^ERR_(CONFIG|INPUT|KEY)_/.test(error.code)
    return { status: isSetting ? EXIT.usage : EXIT.failed, lines: [`${error.message} (${error.code})`] }
  }
  const { code, syscall, path } = error as NodeJS.ErrnoException
  const about = [syscall, path].filter(Boolean).join(' ')
  return {
    status: EXIT.failed,
    lines: [code ? `${about}: ${code}` : `unexpected ${(error as Error)?.name ?? 'error'}`],
  }
}
