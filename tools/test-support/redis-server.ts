// A real redis-server of one's own for a test: free port, own folder, ended by its pid. Nothing shared, no port 6379.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './free-port.ts'
import { ask } from './resp.ts'

export interface RedisOptions {
  readonly appendonly?: boolean
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** As in redis.conf, for example `64mb`. */
  readonly maxmemory?: string
  /** `maxmemory-policy`, for example `noeviction`. */
  readonly policy?: string
  readonly requirepass?: string
  readonly port?: number
  /** An existing folder to keep data in. It is not removed by `stop`. */
  readonly dir?: string
  /** Further command line arguments, for example `['--cluster-enabled', 'yes']`. */
  readonly args?: readonly string[]
  /** Further variables. */
  readonly env?: NodeJS.ProcessEnv
  /** Settings that get another free port each, for example `['cluster-port', 'tls-port']`. */
  readonly morePorts?: readonly string[]
  /** Written into a file that the server reads first and may rewrite, as Sentinel does. A restart finds it as it was left. */
  readonly configFile?: string
  /** In a process group of its own, which Ctrl-C in a terminal does not reach. */
  readonly ownGroup?: boolean
}

export interface RedisServer {
  readonly url: string
  readonly port: number
  /** By the name of the setting: those that `morePorts` asked for. */
  readonly ports: Readonly<Record<string, number>>
  readonly dir: string
  /** Changes with `restart`. */
  readonly pid: number
  /** False after it was killed, and while it is frozen. */
  readonly isRunning: boolean
  /** Ends it in an orderly way and removes its folder, unless the folder was given. May be called twice. */
  stop(): Promise<void>
  /** Sends the signal to the server alone. Waits for its end, except after SIGSTOP and SIGCONT. */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and folder; ends it in an orderly way first if it still runs. */
  restart(): Promise<void>
}

export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'countersign-redis-'))
  const ownDir = options.dir === undefined ? dir : ''
  const password = options.requirepass
  let port = 0
  let ports: Record<string, number> = {}
  let running: Running | undefined
  let frozen = false

  try {
    if (options.configFile !== undefined) writeFileSync(join(dir, 'redis.conf'), options.configFile)
    // Another process may take the free port before Redis does, so one failure to bind is not the end.
    for (let attempt = 1; running === undefined; attempt++) {
      port = options.port ?? (await freePort())
      ports = {}
      for (const name of options.morePorts ?? []) ports[name] = await freePort()
      running = await start(port, ports, dir, ownDir, options).catch((error: Error) => {
        if (options.port === undefined && attempt < 5 && /already in use|Failed listening/.test(error.message))
          return undefined
        throw error
      })
    }
  } catch (error) {
    if (ownDir) rmSync(ownDir, { recursive: true, force: true })
    throw error
  }

  return {
    url: `redis://${password === undefined ? '' : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`,
    port,
    ports,
    dir,
    get pid() {
      return running!.child.pid!
    },
    get isRunning() {
      return !frozen && !running!.hasEnded()
    },
    async stop() {
      await end(running!)
      if (ownDir) rmSync(ownDir, { recursive: true, force: true })
    },
    async kill(signal = 'SIGKILL') {
      running!.child.kill(signal)
      if (signal === 'SIGSTOP') frozen = true
      if (signal === 'SIGCONT') frozen = false
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await running!.ended
    },
    async restart() {
      await end(running!)
      frozen = false
      running = await start(port, ports, dir, ownDir, options)
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<void>
  readonly hasEnded: () => boolean
}

async function start(
  port: number,
  ports: Readonly<Record<string, number>>,
  dir: string,
  ownDir: string,
  options: RedisOptions,
): Promise<Running> {
  const log = join(dir, 'redis.log')
  const env = { ...process.env, ...options.env }
  const child = spawn('redis-server', commandLine(port, ports, dir, log, options), {
    stdio: 'ignore',
    env,
    detached: options.ownGroup === true,
  })
  let hasEnded = false
  let failure: Error | undefined
  const ended = new Promise<void>((resolve) => {
    const finish = (error?: Error) => {
      hasEnded = true
      failure = error
      resolve()
    }
    child.once('error', finish)
    child.once('exit', () => finish())
  })
  if (child.pid !== undefined) guard(child.pid, ownDir, ended)

  for (const deadline = Date.now() + 60_000; ; await sleep(10)) {
    if (hasEnded) {
      if ((failure as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
        throw new Error('redis-server is not installed; these tests need it: apt-get install redis-server')
      }
      const tail = (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(-15).join('\n')
      throw new Error(`redis-server ended before it answered: ${failure?.message ?? ''}\n${tail}`)
    }
    if (await answers(port, options.requirepass)) return { child, ended, hasEnded: () => hasEnded }
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`redis-server on port ${port} did not answer within 60 s`)
    }
  }
}

function commandLine(
  port: number,
  ports: Readonly<Record<string, number>>,
  dir: string,
  log: string,
  options: RedisOptions,
): string[] {
  const settings: Record<string, string | number | undefined> = {
    ...ports,
    port,
    bind: '127.0.0.1',
    dir,
    logfile: log,
    save: '',
    daemonize: 'no',
    appendonly: options.appendonly ? 'yes' : 'no',
    appendfsync: options.appendfsync,
    maxmemory: options.maxmemory,
    'maxmemory-policy': options.policy,
    requirepass: options.requirepass,
  }
  const pairs = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
  const file = options.configFile === undefined ? [] : [join(dir, 'redis.conf')]
  return [...file, ...pairs, ...(options.args ?? [])]
}

/**
 * Ends the server also when the test process is killed outright: a shell waits for the end of a pipe that only this
 * process holds open, and an exit handler would not run on SIGKILL.
 */
function guard(pid: number, ownDir: string, ended: Promise<void>): void {
  const script = 'cat >/dev/null; kill -9 "$0" 2>/dev/null; if [ -n "$1" ]; then sleep 0.1; rm -rf -- "$1"; fi'
  const stdio = ['pipe', 'ignore', 'ignore'] as const
  const shell = spawn('sh', ['-c', script, String(pid), ownDir], { stdio: [...stdio], detached: true })
  shell.unref()
  ;(shell.stdin as unknown as { unref(): void }).unref()
  // Once the server has ended its pid may be given to somebody else, so the guard goes first.
  void ended.then(() => shell.kill('SIGKILL'))
}

async function end(running: Running): Promise<void> {
  if (running.hasEnded()) return
  running.child.kill('SIGCONT')
  running.child.kill('SIGTERM')
  const giveUp = setTimeout(() => running.child.kill('SIGKILL'), 30_000)
  await running.ended
  clearTimeout(giveUp)
}

/** False while it does not listen yet or still loads its data. */
async function answers(port: number, password: string | undefined): Promise<boolean> {
  const login = password === undefined ? [] : [['AUTH', password]]
  const reply = await ask(port, [...login, ['PING']]).catch(() => '')
  return reply.endsWith('+PONG\r\n')
}
