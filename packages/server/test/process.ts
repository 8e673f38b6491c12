// The real command in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const BIN = fileURLToPath(new URL('../bin/countersign.js', import.meta.url))

export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const environment = (env: Record<string, string>) => {
  const { REDIS_URL: _, PGPASSWORD: __, PGSSLMODE: ___, ...rest } = process.env
  return { ...rest, ...env }
}

/** Runs a command to its end. */
export function run(
  args: readonly string[],
  options: { cwd: string; input?: string; env?: Record<string, string> },
): Promise<Run> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args], { cwd: options.cwd, env: environment(options.env ?? {}) })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

export interface Served {
  readonly url: string
  readonly child: ChildProcess
  readonly stderr: () => string
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly ms: number }>
}

/** Starts `countersign serve` on a free port and waits for the line that says where it listens. */
export function serve(
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Served> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BIN, 'serve', '--port', '0', '--json', ...args], {
      cwd: options.cwd,
      env: environment(options.env ?? {}),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    const ended = new Promise<number | null>((done) => child.on('close', done))
    child.stderr!.on('data', (chunk) => {
      stderr += chunk
    })
    child.stdout!.on('data', (chunk) => {
      stdout += chunk
      if (!stdout.includes('\n')) return
      resolve({
        url: JSON.parse(stdout).listening,
        child,
        stderr: () => stderr,
        async stop(signal = 'SIGTERM') {
          const startedMs = performance.now()
          child.kill(signal)
          return { code: await ended, ms: performance.now() - startedMs }
        },
      })
    })
    void ended.then((code) => reject(new Error(`serve ended with ${code}: ${stderr}`)))
  })
}
