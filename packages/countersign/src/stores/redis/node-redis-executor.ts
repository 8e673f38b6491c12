import { CountersignError } from '../../internal/errors.ts'
import type { Runtime } from '../../internal/runtime.ts'
import type { Incarnation } from '../contract.ts'
import { Deadlines } from '../shared/deadlines.ts'
import type { Connection } from './connection.ts'
import type { Argument, Confirmed, ConfirmRule, Executor, Primary, Reply, Script } from './executor.ts'
import { closedFault, disputedFault, offlineFault, passesSoon, replyFault, timeoutFault } from './faults.ts'
import { jitterMs } from './node-redis.ts'
import { MAX_WITHIN_MS, ReplicaWait, UNCONFIRMED } from './replica-wait.ts'
import { standaloneTopology } from './standalone-topology.ts'
import { redirectOf, type Topology } from './topology.ts'
import type { WriteFence } from './write-fence.ts'

/** Tries of a request that the only server there is refuses for a reason that passes (data being loaded, no replicas). */
const TRIES = 4
/** Between two tries, doubled from the first on. */
const FIRST_WAIT_MS = 40
const LONGEST_WAIT_MS = 160
/** Redirections of one request that are followed at once. Two servers may point at each other while a slot moves. */
const REDIRECTIONS = 8
/** Commands that change nothing. Of those that may be lost on the way they can be sent again. */
const READS: ReadonlySet<Argument | undefined> = new Set(['GET', 'HGETALL'])

export interface NodeRedisOptions {
  readonly topology: Topology
  readonly deadlineMs: number
  readonly runtime: Runtime
  /** Where a server that has been replaced goes on answering reads: what tells that it has not. */
  readonly fence?: WriteFence
}

interface Asked {
  readonly key?: string
  readonly connection?: Connection
  readonly command: readonly Argument[]
  readonly source?: string
}

interface Request {
  readonly key: string | undefined
  readonly command: readonly Argument[]
  /** Sent when the server does not know the script. */
  readonly source: string | undefined
  readonly isRead: boolean
  readonly untilMs: number
  attempt: number
  redirections: number
  connection: Connection | undefined
  sentAtMs: number
  /** Of the connection, when it was sent. */
  answersBefore: number
  /** Why it has not been answered so far, when nothing is under way. */
  refusal: CountersignError | undefined
}

/** The executor by the package `redis`: finds the server for each request, and tries again where nothing was executed. */
export class NodeRedisExecutor implements Executor {
  readonly #topology: Topology
  readonly #runtime: Runtime
  readonly #deadlineMs: number
  readonly #deadlines: Deadlines
  readonly #fence: WriteFence | undefined
  readonly #connectionListeners: ((is: 'up' | 'down', primary: Primary) => void)[] = []
  readonly #topologyListeners: (() => void)[] = []
  readonly #primaries = new WeakMap<Connection, Primary>()
  /** By the server that is waited for. */
  readonly #waits = new Map<Connection, ReplicaWait>()
  #closed = false

  constructor({ topology, runtime, deadlineMs, fence }: NodeRedisOptions) {
    this.#topology = topology
    this.#runtime = runtime
    this.#deadlineMs = deadlineMs
    this.#deadlines = new Deadlines(runtime, deadlineMs)
    this.#fence = fence
    topology.listen({
      connection: (is, connection) => {
        for (const listener of this.#connectionListeners) listener(is, this.#primaryBy(connection))
      },
      changed: () => {
        this.#forgetWaits()
        for (const listener of this.#topologyListeners) listener()
      },
    })
  }

  get isUp(): boolean {
    return !this.#closed && this.#topology.isUp
  }

  primaries(): readonly Primary[] {
    return this.#topology.primaries().map((connection) => this.#primaryBy(connection))
  }

  primaryOf(key: string): Primary | undefined {
    const connection = this.#topology.connectionFor(key)
    return connection && this.#primaryBy(connection)
  }

  #primaryBy(connection: Connection): Primary {
    const known = this.#primaries.get(connection)
    if (known) return known
    const { id, open } = connection
    const isUp = () => !this.#closed && connection.isUp
    const primary: Primary = {
      id,
      get isUp() {
        return isUp()
      },
      send: (command) => this.#request({ connection, command }),
      ...(open && { open }),
    }
    this.#primaries.set(connection, primary)
    return primary
  }

  onConnection(listener: (is: 'up' | 'down', primary: Primary) => void): void {
    this.#connectionListeners.push(listener)
  }

  onTopology(listener: () => void): void {
    this.#topologyListeners.push(listener)
  }

  get(key: string): Promise<Buffer | null> {
    return this.read(key, (value) => value)
  }

  read<T>(key: string, made: (value: Buffer | null) => T): Promise<T> {
    return this.#request({ key, command: ['GET', key] }, made as (reply: Reply) => T)
  }

  send(key: string, command: readonly [string, ...Argument[]]): Promise<Reply> {
    return this.#request({ key, command })
  }

  run({ sha1, source }: Script, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    const command = ['EVALSHA', sha1, String(keys.length), ...keys, ...args]
    return this.#request({ key: keys[0]!, command, source })
  }

  confirm(key: string, by: Incarnation, rule: ConfirmRule): Promise<Confirmed> {
    const connection = this.#topology.connectionFor(key)
    // There is no second connection where the client belongs to the application, and its only one must not be held up.
    if (this.#closed || !connection?.open) return Promise.resolve(UNCONFIRMED)
    let wait = this.#waits.get(connection)
    if (!wait) {
      wait = this.#waitFor(connection)
      this.#waits.set(connection, wait)
    }
    return wait.confirm(key, by, rule)
  }

  #waitFor({ id, open }: Connection): ReplicaWait {
    const runtime = this.#runtime
    // During a WAIT the server says nothing, and a ping gets no answer.
    const patientMs = MAX_WITHIN_MS + this.#deadlineMs
    const create = () => open!({ socket: { socketTimeout: patientMs } })
    const line = () =>
      new NodeRedisExecutor({
        topology: standaloneTopology({ id, create, owned: true, runtime }),
        runtime,
        deadlineMs: patientMs,
      })
    return new ReplicaWait(line, runtime.timers, this.#deadlineMs)
  }

  /** Waits of servers that have gone. */
  #forgetWaits(): void {
    const connections = this.#topology.primaries()
    for (const [connection, wait] of this.#waits) {
      if (connections.includes(connection)) continue
      this.#waits.delete(connection)
      void wait.close()
    }
  }

  /** To the server of `key`, or to the one at the other end of `connection`. */
  #request(asked: Asked): Promise<Reply>
  #request<T>(asked: Asked, made: (reply: Reply) => T): Promise<T>
  #request<T>(asked: Asked, made?: (reply: Reply) => T): Promise<T | Reply> {
    if (this.#closed) return Promise.reject(closedFault())
    const { command, source } = asked
    const nowMs = this.#runtime.clock.monotonicMs()
    const request: Request = {
      key: asked.key,
      command,
      source,
      isRead: source === undefined ? READS.has(command[0]) : source.startsWith('#!lua flags=no-writes'),
      untilMs: nowMs + this.#deadlineMs,
      attempt: 1,
      redirections: 0,
      connection: asked.connection,
      sentAtMs: nowMs,
      answersBefore: 0,
      refusal: undefined,
    }
    // The only promise: for the deadline, for what is made of the reply, and for what is tried again.
    return new Promise<T | Reply>((resolve, reject) => {
      const waiting = this.#deadlines.enter(nowMs, () => reject(this.#late(request)))
      const answered = (reply: Reply) => {
        this.#deadlines.leave(waiting)
        try {
          resolve(made ? made(reply) : reply)
        } catch (error) {
          reject(error)
        }
      }
      const lost = (error: unknown) => {
        this.#deadlines.leave(waiting)
        reject(error)
      }
      this.#begin(request, nowMs, answered, lost)
    })
  }

  /** The first attempt. */
  #begin(request: Request, nowMs: number, answered: (reply: Reply) => void, lost: (error: unknown) => void): void {
    const connection = this.#connectionOf(request)
    if (!connection?.isUp) {
      this.#again(request, connection?.offline() ?? offlineFault()).then(answered, lost)
      return
    }
    const failed = (error: unknown) => void this.#failed(request, connection, false, error).then(answered, lost)
    if (this.#fence || !connection.ask) {
      this.#send(request, connection, false).then(answered, failed)
      return
    }
    this.#note(request, connection, nowMs)
    connection.ask(request.command, answered, failed)
  }

  #attempt(request: Request, connection = this.#connectionOf(request), asking = false): Promise<Reply> {
    if (!connection?.isUp) return this.#again(request, connection?.offline() ?? offlineFault())
    const answer = this.#send(request, connection, asking)
    return answer.catch((error: unknown) => this.#failed(request, connection, asking, error))
  }

  #connectionOf({ key, connection }: Request): Connection | undefined {
    return key === undefined ? connection : this.#topology.connectionFor(key)
  }

  #note(request: Request, connection: Connection, nowMs: number): void {
    request.connection = connection
    request.sentAtMs = nowMs
    request.answersBefore = connection.answers ?? 0
    request.refusal = undefined
  }

  #send(request: Request, connection: Connection, asking: boolean): Promise<Reply> {
    this.#note(request, connection, this.#runtime.clock.monotonicMs())
    const isChecked = request.isRead && request.key !== undefined
    const waiting = isChecked ? this.#fence?.pass(connection) : undefined
    if (!waiting) return connection.send(request.command, asking)
    return waiting.then(() => connection.send(request.command, asking))
  }

  async #failed(request: Request, connection: Connection, asking: boolean, error: unknown): Promise<Reply> {
    if (error instanceof CountersignError) {
      this.#topology.doubt?.()
      if (error.retryable === true || (request.isRead && this.#topology.heals)) return this.#again(request, error)
      throw error
    }
    const reply = error as Error
    if (request.source !== undefined && reply.message.startsWith('NOSCRIPT')) {
      const inFull: Request = Object.assign(request, {
        command: ['EVAL', request.source, ...request.command.slice(2)],
        source: undefined,
      })
      return this.#attempt(inFull, connection, asking)
    }
    const redirect = redirectOf(reply, connection)
    const next = redirect && request.key !== undefined ? this.#topology.redirected?.(redirect) : undefined
    if (next) {
      if (++request.redirections > REDIRECTIONS) return this.#again(request, disputedFault())
      if (next.isUp) return this.#attempt(request, next, redirect!.is === 'ASK')
      return this.#again(request, next.offline())
    }
    if (!passesSoon(reply)) throw replyFault(reply)
    this.#topology.doubt?.()
    return this.#again(request, replyFault(reply))
  }

  /** Nothing was executed, or it was a read: the same again after a while, unless the deadline comes first. */
  async #again(request: Request, fault: CountersignError): Promise<Reply> {
    const { clock, timers, random } = this.#runtime
    const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (request.attempt - 1)) + jitterMs(random, 40)
    const isPatient = this.#topology.heals && request.key !== undefined
    const isLast = isPatient
      ? clock.monotonicMs() + waitMs >= request.untilMs
      : request.attempt >= TRIES || !request.connection?.isUp
    if (isLast || this.#closed) throw fault
    request.refusal = fault
    request.attempt++
    await new Promise<void>((resolve) => timers.setTimeout(resolve, waitMs))
    if (this.#closed) throw fault
    return this.#attempt(request)
  }

  #late(request: Request): CountersignError {
    if (request.refusal) return request.refusal
    // One that was tried again late has not waited long enough to say that the connection is dead.
    if (this.#runtime.clock.monotonicMs() - request.sentAtMs >= this.#deadlineMs * 0.9)
      request.connection?.giveUpIfSilentSince?.(request.answersBefore)
    this.#topology.doubt?.()
    return timeoutFault()
  }

  async connect(): Promise<void> {
    if (this.#closed) throw closedFault()
    await this.#topology.connect()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#waits.values()].map((wait) => wait.close()))
    await this.#deadlines.idle()
    this.#topology.close()
  }
}
