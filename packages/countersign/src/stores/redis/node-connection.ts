import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Connection } from './connection.ts'
import type { Argument, Reply } from './executor.ts'
import { closedFault, lostFault, offlineFault, replyFault, timeoutFault, tlsFault } from './faults.ts'
import {
  COMMAND_OPTIONS,
  type MoreOptions,
  type NodeRedisClient,
  type NodeRedisErrors,
  nodeRedisErrors,
} from './node-redis.ts'

/** How long a server that is not the one that was meant is left alone before it is asked again. */
const ADMIT_AGAIN_MS = 200

export interface NodeConnectionOptions {
  /** `host:port`, for messages; and the identity of the server. */
  readonly id: string
  /** Makes a client. Called again when a connection has fallen silent and is given up. */
  readonly create: (more?: MoreOptions) => Promise<NodeRedisClient>
  /** False for a client that belongs to the application: it is neither replaced nor closed. */
  readonly owned: boolean
  readonly runtime: Runtime
  /** Asked of the server after every connect, before anything else: false = not the one that was meant, not yet. */
  readonly admits?: (send: (command: readonly Argument[]) => Promise<Reply>) => Promise<boolean>
  readonly onState?: (is: 'up' | 'down') => void
}

interface Waiting {
  readonly up: () => void
  readonly failed: (fault: CountersignError) => void
}

/** A connection to one server, by the package `redis`. Made anew whenever it is lost, until `destroy`. */
export class NodeConnection implements Connection {
  readonly id: string
  readonly #options: NodeConnectionOptions
  readonly #waiting = new Set<Waiting>()
  #errors: NodeRedisErrors | undefined
  #client: NodeRedisClient | undefined
  #isAdmitted = false
  /** Counts the times that there was a connection. */
  #connections = 0
  #opening: Promise<void> | undefined
  #lastError: unknown
  /** Absent for our own clients, which have them. */
  readonly #commandOptions: object | undefined
  answers = 0
  #closed = false

  constructor(options: NodeConnectionOptions) {
    this.id = options.id
    this.#options = options
    this.#commandOptions = options.owned ? undefined : COMMAND_OPTIONS
  }

  get isUp(): boolean {
    return this.#isAdmitted && !this.#closed && this.#client?.isReady === true
  }

  get open(): ((more?: MoreOptions) => Promise<NodeRedisClient>) | undefined {
    return this.#options.owned ? this.#options.create : undefined
  }

  offline(): CountersignError {
    return offlineFault(this.#lastError)
  }

  send(command: readonly Argument[], asking = false): Promise<Reply> {
    const client = this.#client
    if (!this.isUp || !client) return Promise.reject(this.offline())
    return this.#sendBy(client, command, asking)
  }

  #sendBy(client: NodeRedisClient, command: readonly Argument[], asking = false): Promise<Reply> {
    // Both are written in this order with nothing in between; the first is good for the second alone.
    if (asking) client.sendCommand(['ASKING'], this.#commandOptions).catch(() => {})
    return new Promise((resolve, reject) => this.#askBy(client, command, resolve, reject))
  }

  ask(command: readonly Argument[], answered: (reply: Reply) => void, failed: (error: unknown) => void): void {
    this.#askBy(this.#client!, command, answered, failed)
  }

  #askBy(
    client: NodeRedisClient,
    command: readonly Argument[],
    answered: (reply: Reply) => void,
    failed: (error: unknown) => void,
  ): void {
    client.sendCommand(command, this.#commandOptions).then(
      (reply) => {
        this.answers++
        answered(reply as Reply)
      },
      (error: unknown) => failed(this.#meaningOf(error, client)),
    )
  }

  #meaningOf(error: unknown, client: NodeRedisClient): unknown {
    if (this.#isReply(error)) {
      this.answers++
      return error
    }
    if (error instanceof this.#errors!.ClientOfflineError) return this.offline()
    const isSilent = error instanceof this.#errors!.SocketTimeoutError || client !== this.#client
    return isSilent && !this.#closed ? timeoutFault() : lostFault(error)
  }

  #isReply(error: unknown): error is Error {
    return this.#errors !== undefined && error instanceof this.#errors.ErrorReply
  }

  /**
   * A connection that has answered nothing since a request that is overdue is dead, whatever the socket says: its own
   * time-out begins again with every write, so under load it never comes (half-open connections, lost routes).
   */
  giveUpIfSilentSince(answers: number): void {
    const silent = this.#client
    if (!silent || this.answers > answers || !this.#options.owned || this.#closed) return
    this.#client = undefined
    silent.destroy()
    this.#tell('down')
    this.#openAgain()
  }

  #openAgain(): void {
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
    // Without a listener an error event would end the process. Every attempt to reconnect that fails is one.
    client.on('error', (error) => {
      if (this.#isCurrent(client)) this.#notice(error)
    })
    client.on('ready', () => void this.#admit(client))
    if (client.isReady) await this.#admit(client)
    else if (!client.isOpen) client.connect().catch((error: unknown) => this.#isCurrent(client) && this.#notice(error))
  }

  #isCurrent(client: NodeRedisClient): boolean {
    return this.#client === client && !this.#closed
  }

  async #admit(client: NodeRedisClient): Promise<void> {
    const { admits, runtime } = this.#options
    this.#isAdmitted = false
    const connection = ++this.#connections
    const isOver = () => !this.#isCurrent(client) || !client.isReady || connection !== this.#connections
    while (admits && !isOver()) {
      try {
        if (await admits((command) => this.#sendBy(client, command))) break
      } catch (error) {
        this.#notice(error)
      }
      await new Promise<void>((resolve) => runtime.timers.setTimeout(resolve, ADMIT_AGAIN_MS, 'background'))
    }
    if (isOver()) return
    this.#isAdmitted = true
    this.#tell('up')
  }

  #notice(error: unknown): void {
    this.#lastError = error
    if (!this.#client?.isReady) this.#tell('down')
    // A wrong password does not get better by waiting.
    const fault = this.#isReply(error) ? replyFault(error) : tlsFault(error)
    if (fault?.code !== 'ERR_STORE_MISCONFIGURED') return
    const named = new CountersignError(fault.code, `${fault.message}, at ${this.id}`, {
      store: 'redis',
      ...(fault.cause !== undefined && { cause: fault.cause }),
    })
    for (const waiting of this.#waiting) waiting.failed(named)
  }

  #tell(is: 'up' | 'down'): void {
    if (is === 'down') this.#isAdmitted = false
    else for (const waiting of this.#waiting) waiting.up()
    this.#options.onState?.(is)
  }

  /** Begins to connect, and goes on for as long as it takes. */
  start(): void {
    if (!this.#client && !this.#closed) this.#openAgain()
  }

  /** Resolves when connected. After `withinMs` it gives up, so that the next call starts afresh. */
  async connect(withinMs: number): Promise<void> {
    if (this.#closed) throw closedFault()
    if (this.isUp) return
    const { timers } = this.#options.runtime
    let timer: unknown
    const waiting: { entry?: Waiting } = {}
    try {
      const connected = new Promise<void>((up, failed) => {
        waiting.entry = { up, failed }
        this.#waiting.add(waiting.entry)
        timer = timers.setTimeout(() => failed(this.#unreachable(withinMs)), withinMs)
      })
      connected.catch(() => {})
      if (!this.#client) await this.#open()
      await connected
    } catch (fault) {
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

  #unreachable(withinMs: number): CountersignError {
    const message = this.#client?.isReady
      ? `Redis at ${this.id} is there, and is no primary`
      : `Redis at ${this.id} could not be reached within ${withinMs / 1_000} s`
    return new CountersignError('ERR_STORE_UNAVAILABLE', message, {
      store: 'redis',
      retryable: true,
      ...(this.#lastError !== undefined && { cause: this.#lastError }),
    })
  }

  /** Lets go of it. Requests under way fail. */
  destroy(): void {
    if (this.#closed) return
    this.#closed = true
    for (const waiting of this.#waiting) waiting.failed(closedFault())
    if (this.#options.owned) this.#client?.destroy()
    this.#client = undefined
  }
}
