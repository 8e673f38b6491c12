import { writeSync } from 'node:fs'

/** Writes a line to standard output before it returns: what was said stays said when the process is killed next. */
export function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`)
      return
    } catch (error) {
      // The parent is behind with reading; the pipe does not block.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
    }
  }
}
