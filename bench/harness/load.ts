// One wrk run. wrk, because a load generator in JavaScript needs more processor time than the servers it drives: on one
// core, wrk with this script sends five times what Fastify answers.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { on } from './cores.ts'
import { atEnd } from './ending.ts'
import type { Server } from './processes.ts'

const SCRIPT = fileURLToPath(new URL('tokens.lua', import.meta.url))
/** Kept open. Enough that the server always has the next request at hand; more only waits in line. */
export const CONNECTIONS = 64

export interface Load {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Part of its core that the server used. Far below 1, something else was the limit. */
  readonly serverShare: number
  /** Processor time of the server for a request, in microseconds. What other work on the machine changes least. */
  readonly cpuMicroseconds: number
}

/**
 * Sends requests with the headers of the server, in an order that `seed` fixes.
 *
 * @throws Error - When one of them was not answered with success: then the comparison is of something else.
 */
export async function load(server: Server, seconds: number, seed: number): Promise<Load> {
  const flags = ['--threads', '1', '--connections', String(CONNECTIONS), '--duration', `${seconds}s`]
  const [program, args] = on('load', 'wrk', [
    ...flags,
    ...['--script', SCRIPT, server.url, '--', server.headers, String(seed)],
  ])
  const cpuBefore = server.cpuSeconds()
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const forget = atEnd(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  forget()
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  if (code !== 0 || !last.startsWith('{')) throw new Error(`wrk ended with ${code}:\n${output}`)
  const told = JSON.parse(last) as Record<'requests' | 'microseconds' | 'refused' | 'broken' | 'p50' | 'p99', number>
  if (told.refused + told.broken > 0) {
    throw new Error(`${told.refused} requests were refused and ${told.broken} broke off, of ${told.requests}`)
  }
  const elapsed = told.microseconds / 1e6
  const cpuSeconds = server.cpuSeconds() - cpuBefore
  return {
    requestsPerSecond: told.requests / elapsed,
    p50Ms: told.p50 / 1_000,
    p99Ms: told.p99 / 1_000,
    serverShare: cpuSeconds / elapsed,
    cpuMicroseconds: (cpuSeconds * 1e6) / told.requests,
  }
}
