// Which core runs what. A server that shares its core with the load generator is measured by who gets the core, so the
// server has one of its own.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

export type Part = 'server' | 'load' | 'redis' | 'any'

const count = availableParallelism()
/** By part; null where the machine cannot keep them apart. */
export const CORES: Readonly<Record<Part, number | string>> | null =
  process.platform !== 'linux' || count < 2
    ? null
    : { server: 1, load: 0, redis: count > 2 ? 2 : 0, any: `0-${count - 1}` }

/** For the report. */
export function describeCores(): string {
  if (!CORES) return 'nothing is kept to a core of its own, because this machine cannot'
  const redis = CORES.redis === CORES.load ? ' and Redis' : ` Redis on core ${CORES.redis},`
  return `the server under test on core ${CORES.server}, the load generator${redis} on core ${CORES.load}`
}

/** A command line that runs `program` on the core of its part. */
export function on(part: Part, program: string, args: readonly string[]): [string, string[]] {
  return CORES ? ['taskset', ['--cpu-list', String(CORES[part]), program, ...args]] : [program, [...args]]
}

/** Moves a process that runs already, with all its threads. */
export function move(pid: number, part: Part): void {
  if (!CORES) return
  const { status, stderr } = spawnSync('taskset', ['-a', '-c', '-p', String(CORES[part]), String(pid)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`taskset could not move a process: ${stderr.trim()}`)
}

/** Time that a process and its children have had a core for; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  if (process.platform !== 'linux') return 0
  return [`${pid}`, ...childrenOf(pid)].reduce((sum, one) => sum + nanosecondsOf(`/proc/${one}/task`), 0) / 1e9
}

/** None where the kernel was built without this file. */
function childrenOf(pid: number): string[] {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean) : []
}

function nanosecondsOf(tasks: string): number {
  let sum = 0
  for (const task of readdirSync(tasks)) {
    try {
      sum += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0])
    } catch {
      // A thread that has ended meanwhile.
    }
  }
  return sum
}
