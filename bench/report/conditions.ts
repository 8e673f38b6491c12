// Under what conditions a run was made: everything a reader needs to repeat it, and nothing about whose machine it was.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../tools/files.ts'
import { versionOf } from '../harness/processes.ts'

export interface Conditions {
  readonly date: string
  readonly cpu: string
  readonly cores: string
  readonly memoryGiB: number
  readonly node: string
  readonly newerNode: string
  readonly redis: string
  readonly wrk: string
  readonly rounds: number
  readonly seconds: number
  readonly quick: boolean
  /** Mean number of processes that wanted to run in the minute before. Anything above 0 is somebody else's work. */
  readonly loadBefore: number
  /** Rival → version. */
  readonly rivals: Readonly<Record<string, string>>
}

const RIVALS = [
  'fast-jwt',
  'jsonwebtoken',
  'redis',
  '@fastify/session',
  'express-session',
  'connect-redis',
  'better-auth',
  '@better-auth/redis-storage',
  'ioredis',
  'iron-session',
  'fastify',
  'express',
]

export function conditions(plan: { quick: boolean; rounds: number; seconds: number }, cores: string): Conditions {
  const said = (program: string, args: string[], pattern: RegExp) => {
    try {
      return (
        pattern.exec(execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))?.[1] ?? ''
      )
    } catch (error) {
      // wrk ends with 1 when it is only asked for its version.
      return pattern.exec(String((error as { stdout?: string }).stdout))?.[1] ?? 'unknown'
    }
  }
  const versionOfPackage = (name: string) =>
    (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores`,
    cores,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: versionOf('this'),
    newerNode: versionOf('24'),
    redis: said('redis-server', ['--version'], /v=(\S+)/),
    wrk: said('wrk', ['-v'], /^wrk (\S+)/),
    ...plan,
    loadBefore: Number(loadavg()[0]!.toFixed(2)),
    rivals: Object.fromEntries(RIVALS.map((name) => [name, versionOfPackage(name)])),
  }
}
