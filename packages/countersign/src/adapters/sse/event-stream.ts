import { invalidInput } from '../../internal/errors.ts'
import type { LiveEnd } from '../live/ends.ts'
import type { LiveConnection, LiveHost } from '../live/types.ts'

/** One server-sent event. */
export interface ServerEvent {
  /** Default `message`. No line breaks. */
  event?: string
  /** Text as it is; anything else as JSON. */
  data: unknown
  /** What the browser sends as `Last-Event-ID` when it connects again. No line breaks. */
  id?: string
}

/** A stream of events that belongs to a session. */
export interface EventStream<P> {
  /** As it was read last. */
  readonly session: P
  readonly isOpen: boolean
  /**
   * Sends an event.
   *
   * @returns False when the stream is over. A client that leaves too much unread is cut off.
   * @throws CountersignError `ERR_INPUT_INVALID` for a line break in `event` or `id`.
   */
  send(event: ServerEvent): boolean
  /** Ends it from this side: the client connects again, as browsers do. */
  close(): void
  /** Resolves when it has ended, however. */
  readonly closed: Promise<void>
}

/** Names of the events that the adapter itself sends. */
export const SESSION_EVENTS = Object.freeze({
  /** Last event: `{ reason, remedy, reconnect }`. */
  over: 'session-over',
  /** `{ roles }`. */
  changed: 'session-changed',
})

/** Where the bytes of a stream go. */
export interface Sink {
  write(text: string): void
  /** Bytes that were written and not taken yet. */
  buffered(): number
  /** After everything that was written. Resolves when that has gone, or nobody takes it. */
  end(): Promise<void>
  /** At once. */
  cut(): void
  /** The client went before there was a stream. */
  readonly isGone: boolean
}

/** The stream over a sink, from the moment at which its session is known. */
export class SinkStream<P> implements EventStream<P> {
  readonly closed: Promise<void>
  readonly #sink: Sink
  readonly #host: LiveHost<P>
  readonly #maxBufferedBytes: number
  readonly #heartbeatMs: number
  readonly #connection: LiveConnection<P>
  #timer: unknown
  #isOver = false
  #onClosed!: () => void

  constructor(
    sink: Sink,
    connection: LiveConnection<P>,
    host: LiveHost<P>,
    limits: { readonly maxBufferedBytes: number; readonly heartbeatMs: number },
  ) {
    this.#sink = sink
    this.#connection = connection
    this.#host = host
    this.#maxBufferedBytes = limits.maxBufferedBytes
    this.#heartbeatMs = limits.heartbeatMs
    this.closed = new Promise((resolve) => {
      this.#onClosed = resolve
    })
    // Tells the client at once that the stream is there, and proxies that it is alive.
    this.#write(': open\n\n')
    if (sink.isGone) this.gone()
    else if (!this.#isOver) this.#beat()
  }

  get session(): P {
    return this.#connection.session
  }
  get isOpen(): boolean {
    return !this.#isOver && this.#connection.isOpen
  }

  send({ event, data, id }: ServerEvent): boolean {
    const text = fields(event, data, id)
    if (!this.isOpen) return false
    this.#write(text)
    return this.isOpen
  }

  changed(roles: readonly string[]): void {
    this.send({ event: SESSION_EVENTS.changed, data: { roles } })
  }

  /** The server ends it. */
  async end(end: LiveEnd): Promise<void> {
    if (this.#isOver) return
    const { reason, remedy, reconnect } = end
    this.#sink.write(fields(SESSION_EVENTS.over, { reason, remedy, reconnect }, undefined))
    await this.#finish()
  }

  close(): void {
    void this.#finish()
  }

  /** The client has gone. */
  gone(): void {
    if (!this.#leave()) return
    this.#onClosed()
  }

  #write(text: string): void {
    this.#sink.write(text)
    if (this.#sink.buffered() <= this.#maxBufferedBytes) return
    // What it does not take would only grow, and it would not take a reason either.
    this.#sink.cut()
    this.gone()
  }

  async #finish(): Promise<void> {
    if (!this.#leave()) return
    const { timers } = this.#host.runtime
    const timer = timers.setTimeout(() => this.#sink.cut(), this.#host.closeGraceMs)
    await this.#sink.end()
    timers.clearTimeout(timer)
    this.#onClosed()
  }

  #leave(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#host.runtime.timers.clearTimeout(this.#timer)
    this.#connection.release()
    return true
  }

  #beat(): void {
    this.#timer = this.#host.runtime.timers.setTimeout(
      () => {
        this.#write(':\n\n')
        if (!this.#isOver) this.#beat()
      },
      this.#heartbeatMs,
      'background',
    )
  }
}

function fields(event: string | undefined, data: unknown, id: string | undefined): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  if (text === undefined) throw invalidInput('data', 'cannot be written as JSON')
  const lines = [...named('event', event), ...named('id', id)]
  for (const line of text.split(/\r\n|\r|\n/)) lines.push(`data: ${line}`)
  return `${lines.join('\n')}\n\n`
}

function named(name: 'event' | 'id', value: string | undefined): string[] {
  if (value === undefined) return []
  if (typeof value !== 'string' || /[\r\n\0]/.test(value)) throw invalidInput(name, 'must be text without a line break')
  return [`${name}: ${value}`]
}
