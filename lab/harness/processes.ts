// Starts the servers of the lab, each in a process of its own.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { on, type Part } from '../../bench/harness/cores.ts'
import { atEnd } from '../../bench/harness/ending.ts'
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

/** Started, but ended before it listened: what it wrote to standard error. */
export class NotStarted extends Error {}

/** Runs a file of `lab/sides/`, and waits until it listens. It ends when the lab does, however that ends. */
export function startSide(
  side: string,
  told: Partial<Told>,
  { folder = root, part }: StartOptions = {},
): Promise<Running> {
  const args = ['--expose-gc', '--import', 'tsx', join(folder, 'lab/sides', side), JSON.stringify(told)]
  const [program, all] = part ? on(part, process.execPath, args) : [process.execPath, args]
  const env = { ...process.env, NODE_ENV: 'production' }
  const child = spawn(program, all, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'], env })
  child.stdin.on('error', () => {})
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    forget()
    child.kill('SIGTERM')
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 2_000)
    await ended
    clearTimeout(giveUp)
  }
  const forget = atEnd(stop)
  void ended.then(forget)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    void ended.then(() => reject(new NotStarted(errors || `${side} ended before it listened`)))
    createInterface({ input: child.stdout }).once('line', (line) => {
      const { port } = JSON.parse(line) as Ready
      resolve({ url: `http://127.0.0.1:${port}`, pid: child.pid!, stop })
    })
  })
}
