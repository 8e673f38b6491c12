// A real PostgreSQL of one's own for a test: free port, own folder, ended by its pid. A cluster that the system runs is
// neither used nor touched.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { root } from '../files.ts'
import { freePort } from './free-port.ts'

export interface PostgresOptions {
  /** As in postgresql.conf, for example `{ synchronous_commit: 'off' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** Of the superuser `postgres`. Without it everybody who reaches the port is let in. */
  readonly password?: string
}

export interface PostgresServer {
  /** Of the database `postgres`, as superuser. */
  readonly url: string
  readonly port: number
  /** Folder of the Unix socket. */
  readonly socket: string
  /** Folder of the data. */
  readonly data: string
  /** Changes with `restart`. */
  readonly pid: number
  /** Everything that the server has written to its log. */
  log(): Promise<string>
  /** Runs SQL on a connection of its own. */
  query(sql: string, database?: string): Promise<Record<string, unknown>[]>
  /** Makes an empty database and returns its URL. */
  createDatabase(name?: string): Promise<string>
  /** Ends it in an orderly way and removes its folder. May be called twice. */
  stop(): Promise<void>
  /**
   * Sends the signal to the postmaster. Waits for its end and that of its processes, except after SIGSTOP and SIGCONT,
   * which go to all of them. SIGQUIT is the "immediate" shutdown and SIGKILL a crash: either way nothing is written
   * any more.
   */
  kill(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again on the same port and data, with other settings if given. */
  restart(settings?: Readonly<Record<string, string>>): Promise<void>
}

let databases = 0

export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const bin = findBinaries()
  const user = unprivileged()
  const dir = mkdtempSync(join(tmpdir(), 'countersign-pg-'))
  const [data, socket] = [join(dir, 'data'), join(dir, 'socket')]
  let running: Running | undefined
  let port = 0
  let { settings = {} } = options
  const start = () => startServer(bin, user, { dir, data, socket, port, settings })
  try {
    mkdirSync(socket)
    const passwordFile = join(dir, 'password')
    writeFileSync(passwordFile, `${options.password ?? ''}\n`)
    if (user) for (const path of [dir, socket, passwordFile]) chownSync(path, user.uid, user.gid)
    if (options.password === undefined) await copyOfEmpty(bin, user, data)
    else await initdb(bin, user, data, ['-A', 'scram-sha-256', `--pwfile=${passwordFile}`])
    // Another process may take the free port before this one does.
    for (let attempt = 1; running === undefined; attempt++) {
      port = await freePort()
      running = await start().catch((error: Error) => {
        if (attempt < 5 && /could not create any TCP\/IP sockets/.test(error.message)) return undefined
        throw error
      })
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true })
    throw error
  }

  const urlOf = (database: string) => {
    const login = options.password === undefined ? 'postgres' : `postgres:${encodeURIComponent(options.password)}`
    return `postgres://${login}@127.0.0.1:${port}/${database}`
  }
  const query = async (sql: string, database = 'postgres') => {
    const client = new pg.Client({ connectionString: urlOf(database) })
    client.on('error', () => {})
    await client.connect()
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[]
    } finally {
      await client.end()
    }
  }
  return {
    get url() {
      return urlOf('postgres')
    },
    get port() {
      return port
    },
    socket,
    data,
    get pid() {
      return running!.child.pid!
    },
    log: () => readFile(join(dir, 'log'), 'utf8'),
    query,
    async createDatabase(name = `test_${++databases}`) {
      await query(`CREATE DATABASE ${name}`)
      return urlOf(name)
    },
    async stop() {
      await end(running!)
      rmSync(dir, { recursive: true, force: true })
    },
    async kill(signal = 'SIGKILL') {
      const pids = [running!.child.pid!, ...childrenOf(running!.child.pid!)]
      if (signal === 'SIGSTOP' || signal === 'SIGCONT') {
        for (const pid of pids) sendTo(pid, signal)
        return
      }
      running!.child.kill(signal)
      await running!.ended
      // The others notice that the postmaster has gone; until then they hold the shared memory.
      while (pids.some(isAlive)) await sleep(5)
    },
    async restart(other) {
      settings = other ?? settings
      await end(running!)
      running = await start()
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<void>
  readonly hasEnded: () => boolean
}
interface User {
  readonly uid: number
  readonly gid: number
}
interface Place {
  readonly dir: string
  readonly data: string
  readonly socket: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
}

async function startServer(bin: string, user: User | undefined, place: Place): Promise<Running> {
  const { dir, data, socket, port, settings } = place
  const log = join(dir, 'log')
  const all = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: socket,
    max_connections: '60',
    shared_buffers: '32MB',
    log_min_messages: 'warning',
    ...settings,
  }
  const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  // Through the shell, so that the log is a file and the pid that of the postmaster.
  const script = 'log=$1; shift; exec "$@" >>"$log" 2>&1'
  const child = spawn('sh', ['-c', script, 'sh', log, join(bin, 'postgres'), '-D', data, ...args], {
    stdio: 'ignore',
    cwd: dir,
    ...user,
  })
  let hasEnded = false
  const ended = new Promise<void>((resolve) => {
    const finish = () => {
      hasEnded = true
      resolve()
    }
    child.once('error', finish)
    child.once('exit', finish)
  })
  guard(child.pid!, dir, ended)
  for (const deadline = Date.now() + 60_000; ; await sleep(20)) {
    if (hasEnded) {
      const tail = (await readFile(log, 'utf8').catch(() => '')).split('\n').slice(-15).join('\n')
      throw new Error(`postgres ended before it answered:\n${tail}`)
    }
    if (await answers(port)) return { child, ended, hasEnded: () => hasEnded }
    if (Date.now() > deadline) {
      child.kill('SIGKILL')
      throw new Error(`postgres on port ${port} did not answer within 60 s`)
    }
  }
}

/** False while it does not listen yet or still recovers. A server that wants a password has come up as well. */
async function answers(port: number): Promise<boolean> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password: 'x',
    connectionTimeoutMillis: 2_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.end()
    return true
  } catch (error) {
    return (error as { code?: string }).code === '28P01'
  }
}

/**
 * Ends the server also when the test process is killed outright: a shell waits for the end of a pipe that only this
 * process holds open. The other processes of the server end when the postmaster has gone.
 */
function guard(pid: number, dir: string, ended: Promise<void>): void {
  const script = 'cat >/dev/null; kill -9 "$0" 2>/dev/null; sleep 1; rm -rf -- "$1"'
  const shell = spawn('sh', ['-c', script, String(pid), dir], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.unref()
  ;(shell.stdin as unknown as { unref(): void }).unref()
  // Once the server has ended its pid may be given to somebody else, so the guard goes first.
  void ended.then(() => shell.kill('SIGKILL'))
}

async function end(running: Running): Promise<void> {
  if (running.hasEnded()) return
  const pid = running.child.pid!
  for (const one of [pid, ...childrenOf(pid)]) sendTo(one, 'SIGCONT')
  // "Fast": does not wait for clients.
  running.child.kill('SIGINT')
  const giveUp = setTimeout(() => running.child.kill('SIGKILL'), 30_000)
  await running.ended
  clearTimeout(giveUp)
}

async function initdb(bin: string, user: User | undefined, data: string, auth: readonly string[]): Promise<void> {
  // --no-sync only saves the syncs of initdb itself; the server syncs as it is told.
  const args = ['-D', data, '-U', 'postgres', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', ...auth]
  await promisify(execFile)(join(bin, 'initdb'), args, { ...user, cwd: dirname(data) })
}

/** Where the empty data of each version and user are kept between runs: to copy them takes a tenth of making them. */
const EMPTY = join(root, 'node_modules/.cache/countersign-postgres')

async function copyOfEmpty(bin: string, user: User | undefined, data: string): Promise<void> {
  const kept = join(EMPTY, `${basename(dirname(bin))}-${user?.uid ?? 'own'}`)
  const copy = (from: string, to: string) => promisify(execFile)('cp', ['-a', '--reflink=auto', from, to])
  if (existsSync(kept)) {
    await copy(kept, data)
    return
  }
  await initdb(bin, user, data, ['-A', 'trust'])
  mkdirSync(EMPTY, { recursive: true })
  const mine = `${kept}-${process.pid}-${randomUUID()}`
  await copy(data, mine)
  // Somebody else's may be there by now, and is as good.
  try {
    renameSync(mine, kept)
  } catch {
    rmSync(mine, { recursive: true, force: true })
  }
}

/** The newest server that is installed, where Debian puts it. */
export function findBinaries(base = '/usr/lib/postgresql'): string {
  const versions = existsSync(base)
    ? readdirSync(base).filter((name) => existsSync(join(base, name, 'bin/initdb')))
    : []
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0]
  if (newest === undefined) {
    throw new Error('PostgreSQL is not installed; these tests need it: apt-get install postgresql')
  }
  return join(base, newest, 'bin')
}

/** PostgreSQL refuses to run as root; the package has made a user for it. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const line = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (!line) throw new Error('there is no user "postgres" to run PostgreSQL as: apt-get install postgresql')
  return { uid: Number(line[1]), gid: Number(line[2]) }
}

function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`
  if (!existsSync(path)) return []
  return readFileSync(path, 'utf8').split(' ').filter(Boolean).map(Number)
}

function sendTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}

function isAlive(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  try {
    // A process that nobody has waited for yet is over all the same.
    return !/\) Z /.test(readFileSync(path, 'utf8'))
  } catch {
    return false
  }
}
