// The real server, as an operator starts it: `countersign serve` in a process of its own, on a free port of loopback.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const COMMAND = fileURLToPath(new URL('../../packages/server/bin/countersign.js', import.meta.url))

export interface ServerProcess {
  readonly url: string
  readonly pid: number
  /** Everything that it wrote to standard error so far. */
  logs(): string
  /** The same for standard output. */
  stdout(): string
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<number | null>
  /** Ends it as an operator does, and answers its exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Starts `countersign serve` with these flags, on a free port unless they name one. Fails with what it wrote when it ends
 * before it listens.
 *
 * @param env - Variables on top of those of this process.
 */
export function startServer(flags: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ServerProcess> {
  const child = spawn(process.execPath, [COMMAND, 'serve', '--port', '0', '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...cleanEnvironment(), ...env },
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const logs = collect(child)
  // A test process that is killed takes the server with it.
  const onExit = () => child.kill('SIGKILL')
  process.once('exit', onExit)
  ended.then(() => process.off('exit', onExit))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    ended.then((code) => reject(new Error(`countersign serve ended with ${code}:\n${logs.stdout()}${logs.stderr()}`)))
    child.stdout!.on('data', () => {
      const line = logs
        .stdout()
        .split('\n')
        .find((text) => text.startsWith('{"listening"'))
      if (line === undefined) return
      resolve({
        url: (JSON.parse(line) as { listening: string }).listening,
        pid: child.pid!,
        logs: logs.stderr,
        stdout: logs.stdout,
        ended,
        stop(signal = 'SIGTERM') {
          child.kill(signal)
          return ended
        },
      })
    })
  })
}

/** Runs another `countersign` command to its end. */
export function runCommand(args: readonly string[], input = ''): Promise<CommandResult> {
  const child = spawn(process.execPath, [COMMAND, ...args], { env: cleanEnvironment() })
  const output = collect(child)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout: output.stdout(), stderr: output.stderr() }))
  })
}

/** Nobody's own settings reach a test, also not those that `pg` reads. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(COUNTERSIGN_|PG)/.test(name) && name !== 'REDIS_URL'),
  )
}

function collect(child: ChildProcess) {
  let stdout = ''
  let stderr = ''
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return { stdout: () => stdout, stderr: () => stderr }
}
