// The real nginx, HAProxy and Caddy, with the samples of `examples/forward-auth/`: only their addresses are replaced.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type ProxyKind = 'nginx' | 'haproxy' | 'caddy'

/** Ports on loopback. */
export interface ProxyPorts {
  readonly own: number
  readonly countersign: number
  readonly shop: number
  readonly admin: number
}

export interface ProxyProcess {
  readonly pid: number
  /** What it wrote so far. */
  logs(): string
  stop(): Promise<void>
}

const SAMPLES = fileURLToPath(new URL('../../examples/forward-auth/', import.meta.url))
/** Port in the samples → which it is. */
const IN_SAMPLES = { 8000: 'own', 8080: 'countersign', 3001: 'shop', 3002: 'admin' } as const
const START_MS = 30_000

export interface ProxyOptions {
  /** Changes the text of the configuration further. */
  readonly edit?: (text: string) => string
  /** What to run instead, for a program that has to run in some way. */
  readonly run?: (program: string, args: string[]) => [program: string, args: string[]]
}

/** Starts a proxy and waits until it takes connections. */
export async function startProxy(
  kind: ProxyKind,
  ports: ProxyPorts,
  { edit = (text) => text, run = (...all) => all }: ProxyOptions = {},
): Promise<ProxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), `countersign-${kind}-`))
  // nginx gives its workers to another user when root starts it.
  chmodSync(folder, 0o755)
  const [program, ...rest] = prepare(kind, folder, (name) => {
    writeFileSync(join(folder, name), edit(withPorts(readFileSync(join(SAMPLES, name), 'utf8'), ports)))
    return join(folder, name)
  })
  const [command, args] = run(program!, rest)
  const own = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const path = [process.env.PATH, '/usr/sbin'].join(delimiter)
  const child = spawn(command, args, {
    env: { ...process.env, ...own, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let written = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      written += text
    })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  child.once('error', (error) => {
    written += String(error)
  })
  // A test process that is killed takes the proxy with it.
  const onExit = () => child.kill('SIGKILL')
  process.once('exit', onExit)
  const stop = async () => {
    process.off('exit', onExit)
    child.kill('SIGTERM')
    const giveUp = setTimeout(() => child.kill('SIGKILL'), 5_000)
    await ended
    clearTimeout(giveUp)
    rmSync(folder, { recursive: true, force: true })
  }
  if (!(await listens(child, ports.own))) {
    await stop()
    throw new Error(`${kind} does not listen:\n${written}`)
  }
  return { pid: child.pid!, logs: () => written, stop }
}

function withPorts(text: string, ports: ProxyPorts): string {
  return text.replace(/127\.0\.0\.1:(8000|8080|3001|3002)\b/g, (_all, port: keyof typeof IN_SAMPLES) => {
    return `127.0.0.1:${ports[IN_SAMPLES[port]]}`
  })
}

function prepare(kind: ProxyKind, folder: string, sample: (name: string) => string): string[] {
  if (kind === 'caddy') return ['caddy', 'run', '--adapter', 'caddyfile', '--config', sample('Caddyfile')]
  if (kind === 'haproxy') {
    sample('forward-auth.lua')
    return ['haproxy', '-db', '-C', folder, '-f', sample('haproxy.cfg')]
  }
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${folder}/${of};`)
  const main = join(folder, 'main.conf')
  writeFileSync(
    main,
    `daemon off; worker_processes 1; pid ${folder}/pid; error_log stderr warn; events {}
     http { access_log off; ${temporary.join(' ')} include ${sample('nginx.conf')}; }`,
  )
  return ['nginx', '-e', 'stderr', '-p', folder, '-c', main]
}

async function listens(child: ChildProcess, port: number): Promise<boolean> {
  const until = performance.now() + START_MS
  while (performance.now() < until && child.exitCode === null && child.signalCode === null) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return true
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return false
}
