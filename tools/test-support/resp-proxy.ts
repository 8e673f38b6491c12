// Stands between a client and Redis: counts what the client asks for, as the wire shows it, and can take the network
// away. Answers pass through untouched.
import { createHash } from 'node:crypto'
import { connect, createServer, type Socket } from 'node:net'
import { encode, RequestParser } from './resp.ts'

export interface Counts {
  /** All requests, also those of connection set-up such as HELLO and CLIENT. */
  readonly total: number
  /** By command: `GET`, `CLIENT|TRACKING`, `EVALSHA`. */
  readonly commands: Readonly<Record<string, number>>
  /** EVALSHA and EVAL by script: its name, or its SHA-1 when the name is not known. */
  readonly scripts: Readonly<Record<string, number>>
}

export interface RespProxyOptions {
  /** URL of the Redis server. */
  readonly target: string
  /** SHA-1 of a script → its name. */
  readonly scripts?: ReadonlyMap<string, string>
}

export type Direction = 'requests' | 'answers' | 'both'

export interface RespProxy {
  /** The target's URL, with the proxy's port. */
  readonly url: string
  readonly port: number
  /** Sum over all connections since the last `reset`, with each connection's own part in order of connecting. */
  counts(): Counts & { readonly connections: readonly Counts[] }
  reset(): void
  /** Breaks all connections there are. New ones are accepted. */
  cut(): void
  /**
   * Holds back all bytes, also of new connections, which the client sees as silence. `answers`: Redis still works.
   *
   * @param connection - Only of this one, by its place in order of connecting since the start.
   */
  pause(direction?: Direction, connection?: number): void
  /** Breaks all connections once, after so many more bytes of answers, in the middle of whatever is being said then. */
  cutAfter(answerBytes: number): void
  /** Sends a request on a connection of the client, as if the client had. */
  inject(connection: number, command: readonly string[]): void
  /** New connections go to this server, as when a name or an address that moves with the primary does. */
  retarget(target: string): void
  /** Delivers what was held back, as a network does that comes back. Call `cut` first to have it lost. */
  resume(): void
  stop(): Promise<void>
}

export async function startRespProxy(options: RespProxyOptions): Promise<RespProxy> {
  let target = new URL(options.target)
  const links = new Set<Link>()
  let tallies: Tally[] = []
  let paused: Direction | undefined
  const all: Link[] = []
  let leftBytes = Number.POSITIVE_INFINITY
  /** How much of it may pass; less than all means that the connections break. */
  const allow = (bytes: number): number => {
    const allowed = Math.min(bytes, leftBytes)
    leftBytes = allowed < bytes ? Number.POSITIVE_INFINITY : leftBytes - allowed
    return allowed
  }

  const server = createServer((client) => {
    let isCut = false
    const link = new Link(
      client,
      connect(Number(target.port || 6379), target.hostname),
      options.scripts ?? new Map(),
      (answer) => {
        if (isCut) return false
        const allowed = allow(answer.length)
        isCut = allowed < answer.length
        if (isCut) client.write(answer.subarray(0, allowed), cut)
        return !isCut
      },
    )
    links.add(link)
    all.push(link)
    tallies.push(link.tally)
    link.hold(paused)
    link.onClose(() => links.delete(link))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  const url = new URL(options.target)
  url.hostname = '127.0.0.1'
  url.port = String(port)

  const cut = () => {
    for (const link of links) link.destroy()
  }
  const hold = (direction: Direction | undefined) => {
    paused = direction
    for (const link of links) link.hold(direction)
  }
  return {
    url: url.href,
    port,
    counts: () => ({ ...sum(tallies), connections: tallies.map((tally) => sum([tally])) }),
    reset() {
      tallies = [...links].map((link) => link.tally)
      for (const tally of tallies) tally.clear()
    },
    cut,
    cutAfter(answerBytes) {
      leftBytes = answerBytes
    },
    pause(direction = 'both', connection) {
      if (connection === undefined) hold(direction)
      else all[connection]!.hold(direction)
    },
    inject: (connection, command) => all[connection]!.inject(encode(command)),
    retarget(to) {
      target = new URL(to)
    },
    resume: () => hold(undefined),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        cut()
      }),
  }
}

/** One client connection and the one to Redis that belongs to it. */
class Link {
  readonly tally = new Tally()
  readonly #client: Socket
  readonly #redis: Socket
  #held: Direction | undefined

  /** @param passes - False when the answer is not to be passed on. */
  constructor(
    client: Socket,
    redis: Socket,
    scripts: ReadonlyMap<string, string>,
    passes: (answer: Buffer) => boolean,
  ) {
    this.#client = client
    this.#redis = redis
    const parser = new RequestParser((words) => this.tally.add(words, scripts))
    this.#pipe(client, redis, 'requests', (chunk) => {
      parser.push(chunk)
      return true
    })
    this.#pipe(redis, client, 'answers', passes)
  }

  #pipe(from: Socket, to: Socket, direction: Direction, passes: (chunk: Buffer) => boolean): void {
    from.setNoDelay(true)
    from.on('data', (chunk) => {
      if (passes(chunk) && !to.write(chunk)) from.pause()
    })
    to.on('drain', () => {
      if (!this.#isHeld(direction)) from.resume()
    })
    from.on('end', () => to.end())
    // A reset is what tests provoke; the other side sees the end of its own connection.
    from.on('error', () => {})
    from.on('close', () => to.destroy())
  }

  #isHeld(direction: Direction): boolean {
    return this.#held === 'both' || this.#held === direction
  }

  hold(direction: Direction | undefined): void {
    this.#held = direction
    for (const [socket, its] of [[this.#client, 'requests'] as const, [this.#redis, 'answers'] as const]) {
      if (this.#isHeld(its)) socket.pause()
      else socket.resume()
    }
  }

  inject(request: string): void {
    this.#redis.write(request)
  }

  onClose(then: () => void): void {
    this.#client.once('close', then)
  }

  destroy(): void {
    this.#client.destroy()
    this.#redis.destroy()
  }
}

const containers = new Set(['ACL', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'FUNCTION', 'MEMORY', 'OBJECT', 'SCRIPT'])

class Tally {
  readonly commands = new Map<string, number>()
  readonly scripts = new Map<string, number>()

  add(words: readonly Buffer[], scripts: ReadonlyMap<string, string>): void {
    const name = words[0]!.toString('latin1').toUpperCase()
    const second = words[1]?.toString('latin1') ?? ''
    bump(this.commands, containers.has(name) ? `${name}|${second.toUpperCase()}` : name)
    if (name === 'EVALSHA' || name === 'EVALSHA_RO') {
      bump(this.scripts, scripts.get(second.toLowerCase()) ?? second.toLowerCase())
    } else if (name === 'EVAL' || name === 'EVAL_RO') {
      const sha1 = createHash('sha1').update(words[1]!).digest('hex')
      bump(this.scripts, scripts.get(sha1) ?? sha1)
    }
  }

  clear(): void {
    this.commands.clear()
    this.scripts.clear()
  }
}

function bump(map: Map<string, number>, key: string, by = 1): void {
  map.set(key, (map.get(key) ?? 0) + by)
}

function sum(tallies: readonly Tally[]): Counts {
  const [commands, scripts] = [new Map<string, number>(), new Map<string, number>()]
  for (const tally of tallies) {
    for (const [name, n] of tally.commands) bump(commands, name, n)
    for (const [name, n] of tally.scripts) bump(scripts, name, n)
  }
  const total = [...commands.values()].reduce((a, b) => a + b, 0)
  return { total, commands: Object.fromEntries(commands), scripts: Object.fromEntries(scripts) }
}
