// Starts the processes that are measured, each on the core of its part, and reads what they write.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { environmentOf, NODES } from '../../tools/matrix/nodes.ts'
import { type RedisOptions, type RedisServer, startRedis } from '../../tools/test-support/redis-server.ts'
import type { Ready, Told } from '../sides/serve.ts'
import { type Child, startChild } from './child.ts'
import { cpuSecondsOf, move, on } from './cores.ts'
import { atEnd } from './ending.ts'

/** `24`: a side needs a newer Node than the oldest that this library runs on. Then both sides of a row have it. */
export type Runtime = 'this' | '24'

const isNew = Number(process.versions.node.split('.')[0]) >= 24

/** What a row that was measured on this runtime says of it. */
export const versionOf = (runtime: Runtime): string =>
  runtime === 'this' || isNew ? process.versions.node : NODES['24']!

async function environment(runtime: Runtime): Promise<{ node: string; env: NodeJS.ProcessEnv }> {
  if (runtime === 'this' || isNew) return { node: process.execPath, env: process.env }
  return { node: 'node', env: await environmentOf(NODES['24']!) }
}

const here = fileURLToPath(new URL('..', import.meta.url))
/** Files with tokens: readable by nobody else, gone at the end. */
export const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
atEnd(() => rmSync(folder, { recursive: true, force: true }))

/** A Redis of the bench, on the core of its part. */
export async function startBenchRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const redis = await startRedis({ policy: 'noeviction', ...options })
  const forget = atEnd(() => redis.stop())
  move(redis.pid, 'redis')
  return {
    ...redis,
    pid: redis.pid,
    stop() {
      forget()
      return redis.stop()
    },
  }
}

export interface ChildOptions {
  readonly runtime?: Runtime
  /** Flags of Node. */
  readonly flags?: readonly string[]
  readonly part?: 'server' | 'load' | 'any'
}

/** Runs a file of `bench/` in a process of its own. Its input stays open as long as the bench lives. */
export async function start(
  file: string,
  told: object,
  options: ChildOptions,
  onLine: (line: string) => void,
): Promise<Child> {
  const { node, env } = await environment(options.runtime ?? 'this')
  const args = [...(options.flags ?? []), '--import', 'tsx', join(here, file), JSON.stringify(told)]
  const { part = 'server' } = options
  const [program, all] = on(part, node, args)
  return startChild(file, program, all, { env }, onLine)
}

export interface Server {
  readonly url: string
  /** File with a header for each session. */
  readonly headers: string
  /** Seconds of processor time that it used so far. */
  cpuSeconds(): number
  stop(): Promise<void>
}

/** Starts a server and waits until it listens, which it does when it has made its sessions. */
export async function startServer(
  file: string,
  told: Omit<Told, 'headers'>,
  options: ChildOptions = {},
): Promise<Server> {
  const headers = join(folder, `${[file, told.variant, told.tuned, Date.now()].join('-').replace(/\W/g, '-')}`)
  let child: Child | undefined
  const port = await new Promise<number>((resolve, reject) => {
    const onLine = (line: string) => {
      if (line.startsWith('{"port"')) resolve((JSON.parse(line) as Ready).port)
    }
    start(file, { ...told, headers }, options, onLine).then((started) => {
      child = started
      child.done.then(() => reject(new Error(`${file} ended before it listened`)), reject)
    }, reject)
  })
  const { pid } = child!.process
  return { url: `http://127.0.0.1:${port}`, headers, cpuSeconds: () => cpuSecondsOf(pid!), stop: child!.stop }
}
