// In the middle of a walk the primary that holds the session is killed, and another server takes over.
import { setTimeout as sleep } from 'node:timers/promises'
import { command, eventually } from '../test-support/redis-command.ts'
import type { RedisServer } from '../test-support/redis-server.ts'

/** Whoever is told 503 asks again after this, and for this long: a failover takes seconds, on a busy machine some more. */
const PAUSE_MS = 100
const PATIENCE_MS = 60_000

export class Failover {
  readonly #primaryOf: (sid: string) => Promise<RedisServer>
  #sid = ''
  #killed: RedisServer | undefined
  #killedAtMs = 0
  #lastOutageMs = 0
  #outages = 0

  /** @param primaryOf - Who holds a session now, as the servers see it. */
  constructor(primaryOf: (sid: string) => Promise<RedisServer>) {
    this.#primaryOf = primaryOf
  }

  /** Kills the primary once its replicas have what it has acknowledged: what was lost is for the tests of durability. */
  async begin(sid: string): Promise<void> {
    const primary = await this.#primaryOf(sid)
    await eventually(
      'the replicas have what the primary has',
      async () => String(await command(primary.url, 'INFO', 'replication')),
      (info) => {
        const written = /^master_repl_offset:(\d+)/m.exec(info)?.[1]
        const replicas = [...info.matchAll(/^slave\d+:.*state=online,offset=(\d+)/gm)]
        return replicas.length > 0 && replicas.every(([, offset]) => offset === written)
      },
    )
    this.#sid = sid
    this.#killed = primary
    await primary.kill('SIGKILL')
    this.#killedAtMs = performance.now()
  }

  async asksAgain(): Promise<boolean> {
    if (!this.#killed || performance.now() - this.#killedAtMs > PATIENCE_MS) return false
    this.#outages++
    this.#lastOutageMs = performance.now() - this.#killedAtMs
    await sleep(PAUSE_MS)
    return true
  }

  /** What became of it, in a line. @throws Error when nobody was killed, or nobody took over. */
  async end(): Promise<string> {
    if (!this.#killed) throw new Error('no primary was killed: the walk was over before its middle')
    const now = await this.#primaryOf(this.#sid)
    if (now === this.#killed) throw new Error('nobody took over')
    const seconds = (this.#lastOutageMs / 1_000).toFixed(1)
    return `failover: the primary was killed and replaced; answers that were an outage: ${this.#outages}, the last after ${seconds} s`
  }
}
