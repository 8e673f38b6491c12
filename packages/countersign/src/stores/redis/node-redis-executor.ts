import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import { Deadlines } from '../shared/deadlines.ts'
import type { Argument, Executor, Reply, Script } from './executor.ts'
import { closedFault, lostFault, offlineFault, passesSoon, replyFault, timeoutFault } from './faults.ts'
import { jitterMs, type NodeRedisClient, type NodeRedisErrors, nodeRedisErrors } from './node-redis.ts'

/** How long `connect` tries before it gives up. */
export const CONNECT_WITHIN_MS = 10_000
/** Tries of a request that the server refuses for a reason that passes (a slot on the move, data being loaded). */
const TRIES = 4
/** `$` in RESP: bulk strings come as buffers. A time-out of the client's own would cost more than the call. */
const OPTIONS = { typeMapping: { 36: Buffer }, timeout: undefined }

export interface NodeRedisOptions {
  /** Makes a client. Called again when a connection has fallen silent and is given up. */
  readonly create: () => Promise<NodeRedisClient>
  /** False for a client that belongs to the application: it is neither replaced nor closed. */
  readonly owned: boolean
  readonly deadlineMs: number
  readonly runtime: Runtime
  /** Host of the URL, for messages. */
  readonly host: string
}

interface Waiting {
  readonly up: () => void
  readonly failed: (fault: CountersignError) => void
}

/** The executor on one connection to one server, by the package `redis`. */
export class NodeRedisExecutor implements Executor {
  readonly #options: NodeRedisOptions
  readonly #deadlines: Deadlines
  readonly #listeners: ((is: 'up' | 'down') => void)[] = []
  readonly #waiting = new Set<Waiting>()
  #errors: NodeRedisErrors | undefined
  #client: NodeRedisClient | undefined
  #opening: Promise<void> | undefined
  #lastError: unknown
  #answeredAtMs = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(options: NodeRedisOptions) {
    this.#options = options
    this.#deadlines = new Deadlines(options.runtime, options.deadlineMs)
  }

  get isUp(): boolean {
    return !this.#closed && this.#client?.isReady === true
  }

  onConnection(listener: (is: 'up' | 'down') => void): void {
    this.#listeners.push(listener)
  }

  get(key: string): Promise<Buffer | null> {
    return this.#request(['GET', key]) as Promise<Buffer | null>
  }

  send(_key: string | null, command: readonly [string, ...Argument[]]): Promise<Reply> {
    return this.#request(command)
  }

  run({ sha1, source }: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const rest = [String(keys.length), ...keys, ...args]
    return this.#request(['EVALSHA', sha1, ...rest], source)
  }

  /** `source` is sent when the server does not know the script. */
  #request(command: readonly Argument[], source?: string): Promise<Reply> {
    if (this.#closed) return Promise.reject(closedFault())
    const client = this.#client
    if (!client?.isReady) return Promise.reject(offlineFault(this.#lastError))
    const startedAtMs = this.#options.runtime.clock.monotonicMs()
    return this.#deadlines.within(this.#attempt(client, command, source, 1), () => {
      if (this.#answeredAtMs < startedAtMs) this.#giveUp(client)
      return timeoutFault()
    })
  }

  #attempt(
    client: NodeRedisClient,
    command: readonly Argument[],
    source: string | undefined,
    attempt: number,
  ): Promise<Reply> {
    return client.sendCommand(command, OPTIONS).then(
      (reply) => {
        this.#answeredAtMs = this.#options.runtime.clock.monotonicMs()
        return reply as Reply
      },
      (error: unknown) => this.#failed(client, command, source, attempt, error),
    )
  }

  async #failed(
    client: NodeRedisClient,
    command: readonly Argument[],
    source: string | undefined,
    attempt: number,
    error: unknown,
  ): Promise<Reply> {
    if (!this.#isReply(error)) {
      const isSilent = error instanceof this.#errors!.SocketTimeoutError || client !== this.#client
      throw isSilent && !this.#closed ? timeoutFault() : lostFault(error)
    }
    const { clock, timers, random } = this.#options.runtime
    this.#answeredAtMs = clock.monotonicMs()
    if (source !== undefined && error.message.startsWith('NOSCRIPT')) {
      return this.#attempt(client, ['EVAL', source, ...command.slice(2)], undefined, attempt)
    }
    if (!passesSoon(error) || attempt >= TRIES) throw replyFault(error)
    const waitMs = 20 * 2 ** attempt + jitterMs(random, 40)
    await new Promise<void>((resolve) => timers.setTimeout(resolve, waitMs))
    if (this.#closed || !client.isReady) throw replyFault(error)
    return this.#attempt(client, command, source, attempt + 1)
  }

  #isReply(error: unknown): error is Error {
    return this.#errors !== undefined && error instanceof this.#errors.ErrorReply
  }

  /**
   * A connection that has answered nothing since a request that is overdue is dead, whatever the socket says: its own
   * time-out begins again with every write, so under load it never comes (half-open connections, lost routes).
   */
  #giveUp(silent: NodeRedisClient): void {
    if (!this.#options.owned || this.#closed || this.#client !== silent) return
    this.#client = undefined
    silent.destroy()
    this.#tell('down')
    this.#open().catch((error: unknown) => {
      this.#lastError = error
    })
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openOnce().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  async #openOnce(): Promise<void> {
    this.#errors ??= await nodeRedisErrors()
    const client = await this.#options.create()
    if (this.#closed) throw closedFault()
    this.#client = client
    const isCurrent = () => this.#client === client && !this.#closed
    // Without a listener an error event would end the process. Every attempt to reconnect that fails is one.
    client.on('error', (error) => {
      if (isCurrent()) this.#notice(error)
    })
    client.on('ready', () => {
      if (isCurrent()) this.#tell('up')
    })
    if (client.isReady) this.#tell('up')
    else if (!client.isOpen) client.connect().catch((error: unknown) => isCurrent() && this.#notice(error))
  }

  #notice(error: unknown): void {
    this.#lastError = error
    if (!this.#client?.isReady) this.#tell('down')
    if (!this.#isReply(error)) return
    // A wrong password does not get better by waiting.
    const fault = replyFault(error)
    if (fault.code !== 'ERR_STORE_MISCONFIGURED') return
    const named = new CountersignError(fault.code, `${fault.message}, at ${this.#options.host}`, { store: 'redis' })
    for (const waiting of this.#waiting) waiting.failed(named)
  }

  #tell(is: 'up' | 'down'): void {
    if (is === 'up') for (const waiting of this.#waiting) waiting.up()
    for (const listener of this.#listeners) listener(is)
  }

  async connect(): Promise<void> {
    if (this.#closed) throw closedFault()
    if (this.isUp) return
    // Loading the package may take a busy machine longer than a server takes to answer, and is not the server's fault.
    this.#errors ??= await nodeRedisErrors()
    const { timers } = this.#options.runtime
    let timer: unknown
    const waiting: { entry?: Waiting } = {}
    try {
      const connected = new Promise<void>((up, failed) => {
        waiting.entry = { up, failed }
        this.#waiting.add(waiting.entry)
        timer = timers.setTimeout(() => failed(this.#unreachable()), CONNECT_WITHIN_MS)
      })
      connected.catch(() => {})
      if (!this.#client) await this.#open()
      await connected
    } catch (fault) {
      // The next call starts afresh.
      const client = this.#client
      if (this.#options.owned && client && !client.isReady) {
        this.#client = undefined
        client.destroy()
      }
      throw fault
    } finally {
      timers.clearTimeout(timer)
      this.#waiting.delete(waiting.entry!)
    }
  }

  #unreachable(): CountersignError {
    const message = `Redis at ${this.#options.host} could not be reached within ${CONNECT_WITHIN_MS / 1_000} s`
    return new CountersignError('ERR_STORE_UNAVAILABLE', message, {
      store: 'redis',
      retryable: true,
      ...(this.#lastError !== undefined && { cause: this.#lastError }),
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const waiting of this.#waiting) waiting.failed(closedFault())
    await this.#deadlines.idle()
    if (this.#options.owned) this.#client?.destroy()
    this.#client = undefined
  }
}
