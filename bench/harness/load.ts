// Load on servers that are compared: all at once, in short turns. wrk, because a load generator in JavaScript needs more
// processor time than the servers it drives: on one core, wrk with this script sends five times what Fastify answers.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { on } from './cores.ts'
import { atEnd } from './ending.ts'
import type { Server } from './processes.ts'
import { mulberry32 } from './stats.ts'

const SCRIPT = fileURLToPath(new URL('tokens.lua', import.meta.url))
/** Kept open. Enough that the server always has the next request at hand; more only waits in line. */
export const CONNECTIONS = 64
/** So short that what slows the machine slows all alike. */
const TURN_MS = 100
/** Longer than a tick of the kernel, which only then counts what a process has used of it. */
const IDLE_FOR_MS = 5
/** A server that does more by itself than it should is not waited for any longer. */
const MAX_LOOKS = 200
/** wrk looks ten times a second whether it is to end. One that is paused longer looks as soon as it goes on. */
const LOOKS_EVERY_MS = 100

export interface Load {
  readonly requestsPerSecond: number
  /** Part of its core that the server used in its turns. Far below 1, something else was the limit. */
  readonly serverShare: number
  /** Processor time of the server for a request, in microseconds. What other work on the machine changes least. */
  readonly cpuMicroseconds: number
}

/** What of a server the load has to know. */
export type Target = Pick<Server, 'url' | 'headers' | 'cpuSeconds'>

/**
 * Each server gets requests for so many seconds, a tenth of one at a time, in turns whose order is drawn anew each time. All
 * others are idle meanwhile. `seed` fixes that order, and the one in which the headers of a server are sent.
 *
 * @returns What each server answered, in the order of `servers`.
 * @throws Error - When one of them was not answered with success: then the comparison is of something else.
 */
export async function loadInTurns(servers: readonly Target[], seconds: number, seed: number): Promise<readonly Load[]> {
  const random = mulberry32(seed)
  // Ended by a signal long before; a bound, should this process be killed.
  const atMostSeconds = Math.ceil(60 + 4 * seconds * servers.length)
  const generators = servers.map((server) => new Generator(server, seed, atMostSeconds))
  try {
    await Promise.all(generators.map((one) => one.ready))
    for (let turn = 0; turn < (seconds * 1_000) / TURN_MS; turn++) {
      for (const one of shuffled(generators, random)) {
        one.run()
        await sleep(TURN_MS)
        await one.pause()
      }
    }
    await sleep(LOOKS_EVERY_MS)
    return await Promise.all(generators.map((one) => one.end()))
  } finally {
    for (const one of generators) one.kill()
  }
}

/** One wrk. It waits for its first turn, and is stopped between its turns. */
class Generator {
  readonly #child: ChildProcess
  readonly #server: Target
  readonly #ended: Promise<unknown[]>
  readonly #forget: () => void
  readonly ready: Promise<void>
  #output = ''
  #isStarted = false
  #runsSinceMs = 0
  #cpuSecondsBefore = 0
  /** Both without the time of others. */
  #seconds = 0
  #cpuSeconds = 0

  constructor(server: Target, seed: number, atMostSeconds: number) {
    this.#server = server
    const flags = ['--threads', '1', '--connections', String(CONNECTIONS)]
    const bounds = ['--duration', `${atMostSeconds}s`, '--timeout', '1m']
    const script = ['--script', SCRIPT, server.url, '--', server.headers, String(seed)]
    const [program, args] = on('load', 'wrk', [...flags, ...bounds, ...script])
    this.#child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdin!.on('error', () => {})
    this.#forget = atEnd(() => this.kill())
    this.#ended = once(this.#child, 'close')
    this.#ended.catch(() => {})
    this.ready = new Promise((resolve, reject) => {
      for (const stream of [this.#child.stdout!, this.#child.stderr!]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          this.#output += text
          if (this.#output.includes('ready\n')) resolve()
        })
      }
      this.#child.once('close', () => reject(this.#failed('before its first turn')))
      this.#child.once('error', reject)
    })
  }

  run(): void {
    this.#cpuSecondsBefore = this.#server.cpuSeconds()
    this.#runsSinceMs = performance.now()
    if (this.#isStarted) this.#child.kill('SIGCONT')
    else this.#child.stdin!.write('go\n')
    this.#isStarted = true
  }

  /**
   * Waits until the server has answered what it has been sent: a slow one would do so in the turn of another one, who would pay for
   * it. A server that is busy all the time has used as much of its core as time has passed, also after the pause.
   */
  async pause(): Promise<void> {
    this.#child.kill('SIGSTOP')
    const seconds = (performance.now() - this.#runsSinceMs) / 1_000
    let before = -1
    let now = this.#server.cpuSeconds()
    for (let looks = 0; now !== before && looks < MAX_LOOKS; looks++) {
      await sleep(IDLE_FOR_MS)
      before = now
      now = this.#server.cpuSeconds()
    }
    const cpuSeconds = now - this.#cpuSecondsBefore
    this.#cpuSeconds += cpuSeconds
    this.#seconds += Math.max(seconds, cpuSeconds)
  }

  /** It writes what it counted, without another turn. */
  async end(): Promise<Load> {
    // Pending when it goes on, so that it sends nothing more. Whichever thread gets it, only the main one ends the others,
    // and that one may need another one to wake up.
    this.#child.kill('SIGINT')
    this.#child.kill('SIGCONT')
    const again = setInterval(() => this.#child.kill('SIGINT'), LOOKS_EVERY_MS)
    const [code] = await this.#ended
    clearInterval(again)
    const last = this.#output.trimEnd().split('\n').at(-1) ?? ''
    if (code !== 0 || !last.startsWith('{')) throw this.#failed(`with ${code}`)
    const told = JSON.parse(last) as Record<'requests' | 'refused' | 'broken', number>
    if (told.requests === 0 || told.refused + told.broken > 0) {
      throw new Error(`${told.refused} requests were refused and ${told.broken} broke off, of ${told.requests}`)
    }
    return {
      requestsPerSecond: told.requests / this.#seconds,
      serverShare: this.#cpuSeconds / this.#seconds,
      cpuMicroseconds: (this.#cpuSeconds * 1e6) / told.requests,
    }
  }

  /** However far it is. */
  kill(): void {
    this.#forget()
    this.#child.kill('SIGKILL')
  }

  #failed(how: string): Error {
    return new Error(`wrk ended ${how}:\n${this.#output}`)
  }
}

function shuffled<T>(list: readonly T[], random: () => number): readonly T[] {
  return list
    .map((one) => ({ one, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
