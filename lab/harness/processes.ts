// Starts the servers of the lab, each in a process of its own.
import { join } from 'node:path'
import { startChild } from '../../bench/harness/child.ts'
import { on, type Part } from '../../bench/harness/cores.ts'
import { root } from '../../tools/files.ts'
import type { Ready, Told } from '../sides/told.ts'

export interface Running {
  readonly url: string
  readonly pid: number
  stop(): Promise<void>
}

export interface StartOptions {
  /** Of another copy of the repository, whose library has a guard less. */
  readonly folder?: string | undefined
  /** On a core of its own, for measurements. */
  readonly part?: Part
}

/** Started, but ended before it listened: the message has what it wrote to standard error. */
export class NotStarted extends Error {}

/** Runs a file of `lab/sides/`, and waits until it listens. It ends when the lab does, however that ends. */
export function startSide(
  side: string,
  told: Partial<Told>,
  { folder = root, part }: StartOptions = {},
): Promise<Running> {
  const args = ['--expose-gc', '--import', 'tsx', join(folder, 'lab/sides', side), JSON.stringify(told)]
  const [program, all] = part ? on(part, process.execPath, args) : [process.execPath, args]
  return new Promise((resolve, reject) => {
    const child = startChild(side, program, all, { cwd: folder }, (line) => {
      const { port } = JSON.parse(line) as Ready
      resolve({ url: `http://127.0.0.1:${port}`, pid: child.process.pid!, stop: child.stop })
    })
    const notStarted = ({ message }: Error) => reject(new NotStarted(message))
    child.done.then(() => notStarted(new Error(`${side} ended before it listened`)), notStarted)
  })
}
