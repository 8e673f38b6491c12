import type { Runtime } from '../../internal/runtime.ts'
import type { Connections } from './connections.ts'
import { type ClientConfig, loadDriver, type OwnedPgClient, type PgClient, types } from './driver.ts'
import { closedFault, offlineFault, standbyFault } from './faults.ts'

/** How long one attempt to connect may take. The call that asked for it gives up at its own deadline. */
const CONNECT_WITHIN_MS = 5_000
/** After a failed attempt to connect everybody is told at once for so long, and only then tried again (fault matrix A2). */
const RETRY_AFTER_MS = 500
/** Connections that nobody needed for so long are closed, all but the last. */
const IDLE_MS = 30_000

interface Waiting {
  readonly resolve: (client: PgClient) => void
  readonly reject: (fault: Error) => void
}

/**
 * The connections of one store. `pg.Pool` would do for most of it, but tells a server that is gone from a pool that is
 * busy only in words, has as many attempts to connect as callers, and waits for a server that does not answer when closed.
 */
export class OwnPool implements Connections {
  readonly #config: ClientConfig
  readonly #size: number
  readonly #runtime: Runtime
  readonly #onLost: () => void
  readonly #open = new Set<OwnedPgClient>()
  /** The one used last is at the end, and goes first: the others may then be closed. */
  readonly #idle: { readonly client: OwnedPgClient; readonly sinceMs: number }[] = []
  readonly #waiting: Waiting[] = []
  #connecting = 0
  #failure: { readonly error: unknown; readonly untilMs: number } | undefined
  #create: Promise<(config: ClientConfig) => OwnedPgClient> | undefined
  #idleTimer: unknown
  #closed = false

  /** @param onLost - Told when the last connection broke while nobody used it. */
  constructor(config: ClientConfig, size: number, runtime: Runtime, onLost: () => void) {
    this.#config = config
    this.#size = size
    this.#runtime = runtime
    this.#onLost = onLost
  }

  acquire(): Promise<PgClient> {
    if (this.#closed) return Promise.reject(closedFault())
    const free = this.#idle.pop()
    if (free) return Promise.resolve(free.client)
    const { clock } = this.#runtime
    if (this.#failure && this.#open.size === 0 && clock.monotonicMs() < this.#failure.untilMs)
      return Promise.reject(offlineFault(this.#failure.error))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#grow()
    })
  }

  release(client: PgClient, isBroken: boolean): void {
    const owned = client as OwnedPgClient
    if (!this.#open.has(owned)) return
    if (isBroken || this.#closed) {
      this.#drop(owned)
      return
    }
    this.#hand(owned)
  }

  isExhausted(): boolean {
    return this.#open.size > 0
  }

  close(): void {
    this.#closed = true
    this.#runtime.timers.clearTimeout(this.#idleTimer)
    for (const waiting of this.#waiting.splice(0)) waiting.reject(closedFault())
    for (const { client } of this.#idle.splice(0)) this.#part(client)
  }

  #hand(client: OwnedPgClient): void {
    const next = this.#waiting.shift()
    if (next) {
      next.resolve(client)
      return
    }
    this.#idle.push({ client, sinceMs: this.#runtime.clock.monotonicMs() })
    this.#idleTimer ??= this.#runtime.timers.setTimeout(() => this.#closeIdle(), IDLE_MS, 'background')
  }

  /** Opens as many connections as callers wait for and the size allows; one while there is none, as in an outage. */
  #grow(): void {
    const room = this.#open.size === 0 ? 1 : this.#size - this.#open.size
    while (this.#connecting < Math.min(room, this.#waiting.length)) void this.#connect()
  }

  async #connect(): Promise<void> {
    this.#connecting++
    let client: OwnedPgClient | undefined
    let timer: unknown
    try {
      this.#create ??= loadDriver()
      const opened = (await this.#create)(this.#config)
      client = opened
      // Without a listener an error event would end the process. A query under way is told by its own promise.
      opened.on('error', () => this.#drop(opened))
      opened.on('end', () => this.#drop(opened))
      // For the whole attempt: the connection may be there and the server not answer all the same.
      timer = this.#runtime.timers.setTimeout(() => destroy(opened), CONNECT_WITHIN_MS)
      await opened.connect()
      const { rows } = await opened.query({ text: 'SELECT pg_is_in_recovery() AS is_standby', values: [], types })
      if (rows[0]?.is_standby !== false) throw standbyFault()
      this.#failure = undefined
      this.#connecting--
      if (this.#closed) this.#part(opened)
      else {
        this.#open.add(opened)
        this.#hand(opened)
      }
    } catch (error) {
      this.#connecting--
      if (client) destroy(client)
      this.#fail(error)
    } finally {
      this.#runtime.timers.clearTimeout(timer)
    }
    this.#grow()
  }

  #fail(error: unknown): void {
    this.#failure = { error, untilMs: this.#runtime.clock.monotonicMs() + RETRY_AFTER_MS }
    // Whoever waits may still get a connection that is in use.
    if (this.#open.size > 0) return
    for (const waiting of this.#waiting.splice(0)) waiting.reject(offlineFault(error))
  }

  #drop(client: OwnedPgClient): void {
    if (!this.#open.delete(client)) return
    const at = this.#idle.findIndex((idle) => idle.client === client)
    if (at >= 0) this.#idle.splice(at, 1)
    destroy(client)
    if (this.#closed) return
    if (this.#open.size === 0) this.#onLost()
    this.#grow()
  }

  #closeIdle(): void {
    this.#idleTimer = undefined
    const untilMs = this.#runtime.clock.monotonicMs() - IDLE_MS
    while (this.#idle.length > 1 && this.#idle[0]!.sinceMs <= untilMs) {
      const { client } = this.#idle.shift()!
      this.#part(client)
    }
    if (this.#idle.length > 1)
      this.#idleTimer = this.#runtime.timers.setTimeout(() => this.#closeIdle(), IDLE_MS, 'background')
  }

  /** Says goodbye on a connection that nobody uses. A server that does not answer is not waited for. */
  #part(client: OwnedPgClient): void {
    this.#open.delete(client)
    const timer = this.#runtime.timers.setTimeout(() => destroy(client), 1_000, 'background')
    client.end().then(
      () => this.#runtime.timers.clearTimeout(timer),
      () => destroy(client),
    )
  }
}

function destroy(client: OwnedPgClient): void {
  if (client.connection?.stream) client.connection.stream.destroy()
  else client.end().catch(() => undefined)
}
