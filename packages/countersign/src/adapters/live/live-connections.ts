import { durationMs } from '../../internal/duration.ts'
import { CountersignError, invalidOption } from '../../internal/errors.ts'
import { systemRuntime } from '../../internal/runtime.ts'
import type { SessionId } from '../../session/ids.ts'
import type { FollowDemands, Following } from '../../session/types.ts'
import { refuseUnknown } from '../../strategies/options.ts'
import { endOf, type LiveEnd, SHUTDOWN, UNAVAILABLE } from './ends.ts'
import type { LiveConnection, LiveConnections, LiveHost, LiveOptions, Opened, Wire } from './types.ts'

const OPTIONS = new Set(['sessions', 'outage', 'countsAsActivity', 'closeGrace', 'runtime'])
/** How often connections that count as activity by being open are noted. Written is at most a tenth of the window. */
const STILL_OPEN_MS = 1_000

/**
 * Keeps the live connections of this process: each belongs to a session, and what ends the session ends the connection, in
 * whatever process that happens. How soon: `Records.follow`. One for all adapters and namespaces.
 *
 * @throws CountersignError `ERR_CONFIG_INVALID`, naming the option.
 */
export function liveConnections<P>(options: LiveOptions<P>): LiveConnections<P> {
  return new Live(options)
}

class Live<P> implements LiveConnections<P> {
  readonly host: LiveHost<P>
  readonly #closeAfterMs: number
  readonly #countsOpen: boolean
  readonly #connections = new Set<Connection<P>>()
  readonly #ended: Record<LiveEnd['kind'], number> = {
    ended: 0,
    forbidden: 0,
    replaced: 0,
    unavailable: 0,
    shutdown: 0,
  }
  #timer: unknown
  #isClosed = false

  constructor(options: LiveOptions<P>) {
    refuseUnknown(options, OPTIONS, 'liveConnections')
    const { sessions, outage = 'keep', countsAsActivity = false, closeGrace = '1s', runtime = systemRuntime } = options
    if (typeof sessions?.follow !== 'function')
      throw invalidOption('sessions', 'must be the sessions of a strategy that keeps a record')
    if (outage !== 'keep' && typeof outage?.closeAfter !== 'string')
      throw invalidOption('outage', "must be 'keep' or { closeAfter: '60s' }")
    if (![false, 'messages', 'open'].includes(countsAsActivity))
      throw invalidOption('countsAsActivity', "must be false, 'messages' or 'open'")
    this.#closeAfterMs =
      outage === 'keep'
        ? Number.POSITIVE_INFINITY
        : durationMs(outage.closeAfter, 'outage.closeAfter', 3_000, 86_400_000)
    this.#countsOpen = countsAsActivity === 'open'
    this.host = Object.freeze({
      sessions,
      runtime,
      closeGraceMs: durationMs(closeGrace, 'closeGrace', 100, 30_000),
      countsMessages: countsAsActivity === 'messages',
    })
  }

  get size(): number {
    return this.#connections.size
  }

  health() {
    return { open: this.size, ended: { ...this.#ended } }
  }

  async open(id: SessionId, wire: Wire<P>, demands: FollowDemands = {}): Promise<Opened<P>> {
    this.#refuseClosed()
    const connection = new Connection<P>(wire, this.host.countsMessages, (end) => {
      this.#connections.delete(connection)
      if (end) this.#ended[end.kind]++
      if (this.#connections.size === 0) this.#stopNoting()
    })
    const following = this.host.sessions.follow(
      id,
      {
        over: (refused) => connection.end(endOf(refused)),
        changed: (session, before) => connection.changed(session, before),
        unsure: (sinceMs, isOverdue) => {
          if (isOverdue || sinceMs >= this.#closeAfterMs) connection.end(UNAVAILABLE)
        },
        lost: () => connection.end(UNAVAILABLE),
      },
      demands,
    )
    connection.following = following
    const first = await following.first
    if (!first.ok) return first
    if (this.#isClosed) following.stop()
    this.#refuseClosed()
    // What ended it since has been told to the wire.
    if (!connection.isOpen) return { ok: true, connection }
    this.#connections.add(connection)
    if (this.#countsOpen) this.#startNoting()
    return { ok: true, connection }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopNoting()
    await Promise.all([...this.#connections].map((connection) => connection.end(SHUTDOWN)))
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new CountersignError('ERR_CLOSED', 'these live connections are closed')
  }

  #startNoting(): void {
    if (this.#timer !== undefined) return
    const note = () => {
      for (const { following } of this.#connections) following?.used()
      this.#timer = this.host.runtime.timers.setTimeout(note, STILL_OPEN_MS, 'background')
    }
    note()
  }
  #stopNoting(): void {
    this.host.runtime.timers.clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

class Connection<P> implements LiveConnection<P> {
  following: Following<P> | undefined
  readonly #wire: Wire<P>
  readonly #countsMessages: boolean
  readonly #onGone: (end: LiveEnd | undefined) => void
  #isOpen = true

  constructor(wire: Wire<P>, countsMessages: boolean, onGone: (end: LiveEnd | undefined) => void) {
    this.#wire = wire
    this.#countsMessages = countsMessages
    this.#onGone = onGone
  }

  get session(): P {
    // Nobody is given a connection before its session is known.
    return this.following!.session!
  }
  get isOpen(): boolean {
    return this.#isOpen
  }
  received(): void {
    if (this.#isOpen && this.#countsMessages) this.following?.used()
  }
  release(): void {
    this.#leave(undefined)
  }

  changed(session: P, before: P): void {
    if (this.#isOpen) void this.#tell(() => this.#wire.changed?.(session, before))
  }
  async end(end: LiveEnd): Promise<void> {
    if (this.#leave(end)) await this.#tell(() => this.#wire.end(end))
  }

  #leave(end: LiveEnd | undefined): boolean {
    if (!this.#isOpen) return false
    this.#isOpen = false
    this.following?.stop()
    this.#onGone(end)
    return true
  }

  /** One connection that cannot be told must not keep the others from being told. */
  async #tell(call: () => void | Promise<void>): Promise<void> {
    try {
      await call()
    } catch (error) {
      const name = error instanceof Error ? error.name : 'unknown'
      process.emitWarning(`a live connection could not be told: ${name}`, { code: 'COUNTERSIGN_LISTENER' })
    }
  }
}
