// A process of ours that is measured or asked: it ends with whoever started it, however that ends.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { atEnd } from './ending.ts'

export interface Child {
  readonly process: ChildProcess
  /** Resolves at its orderly end; rejects with what it wrote to standard error at any other. */
  readonly done: Promise<void>
  stop(): Promise<void>
}

/**
 * Its input stays open as long as we live.
 *
 * @param name - What it is called when it fails.
 */
export function startChild(
  name: string,
  program: string,
  args: readonly string[],
  { env = process.env, ...options }: Pick<SpawnOptions, 'cwd' | 'env'>,
  onLine: (line: string) => void,
): Child {
  const child = spawn(program, args, {
    ...options,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...env, NODE_ENV: 'production' },
  })
  // It may have ended already.
  child.stdin.on('error', () => {})
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4_000)
  })
  createInterface({ input: child.stdout }).on('line', onLine)
  let stopped = false
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0 || stopped) resolve()
      else reject(new Error(`${name} ended with ${code ?? signal}:\n${errors}`))
    })
  })
  const stop = async () => {
    forget()
    stopped = true
    child.kill('SIGTERM')
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 3_000)
    await done
    clearTimeout(giveUp)
  }
  const forget = atEnd(stop)
  done.catch(() => {}).then(forget)
  return { process: child, done, stop }
}
