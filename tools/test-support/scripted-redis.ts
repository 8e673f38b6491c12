// A Redis server that a test plays byte by byte: it says what the test writes, cut where the test cuts, in the order of
// the test. For what no real server does on demand: a push in the middle of a reply, or a connection that goes silent.
import { createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { RequestParser } from './resp.ts'

export interface ScriptedConnection {
  /** Commands that have come in, in order. */
  readonly requests: readonly (readonly string[])[]
  /** Sends the bytes at once, as one write. `replies`: how many of the requests that are owed an answer it answers. */
  write(bytes: Buffer | string, replies?: number): void
  /** Sends them in pieces that end at the given places, with a moment in between so that they arrive apart. */
  writeSplit(bytes: Buffer, places: readonly number[], replies: number): Promise<void>
  destroy(): void
}

export interface ScriptedRedis {
  readonly url: string
  /** Every connection that was ever made. */
  readonly connections: readonly ScriptedConnection[]
  stop(): Promise<void>
}

/**
 * @param onRequest - What to send for a request; `undefined` = what a server with tracking would say to the commands of
 * connecting, and nothing to any other; `''` = the test answers it later, and what was asked after it waits for that.
 */
export async function startScriptedRedis(
  onRequest: (words: readonly string[], connection: ScriptedConnection) => Buffer | string | undefined,
): Promise<ScriptedRedis> {
  const connections: Connection[] = []
  const server = createServer((socket) => {
    const connection = new Connection(socket)
    connections.push(connection)
    const parser = new RequestParser((buffers) => {
      const words = buffers.map((buffer) => buffer.toString('latin1'))
      connection.requests.push(words)
      connection.reply(onRequest(words, connection) ?? handshake(words))
    })
    socket.on('data', (chunk) => parser.push(chunk))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as { port: number }
  return {
    url: `redis://127.0.0.1:${port}`,
    connections,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const connection of connections) connection.destroy()
      }),
  }
}

class Connection implements ScriptedConnection {
  readonly requests: string[][] = []
  readonly #socket: Socket
  /** Requests that the test has yet to answer, and the replies to those that came after them. */
  #owed = 0
  #waiting: (Buffer | string)[] = []

  constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    // Clients that are killed in the middle are what tests do.
    socket.on('error', () => {})
  }

  reply(bytes: Buffer | string): void {
    if (bytes === '') this.#owed++
    else if (this.#owed > 0) this.#waiting.push(bytes)
    else this.#send(bytes)
  }

  write(bytes: Buffer | string, replies = 0): void {
    this.#send(bytes)
    this.#paid(replies)
  }

  async writeSplit(bytes: Buffer, places: readonly number[], replies: number): Promise<void> {
    let from = 0
    for (const place of [...places, bytes.length]) {
      this.#send(bytes.subarray(from, place))
      from = place
      await sleep(2)
    }
    this.#paid(replies)
  }

  #paid(replies: number): void {
    this.#owed -= replies
    if (this.#owed === 0) for (const bytes of this.#waiting.splice(0)) this.#send(bytes)
  }

  #send(bytes: Buffer | string): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** What a server with RESP 3 and tracking says while a client connects, and when it is asked whether it tracks. */
function handshake([name = '', sub = '']: readonly string[]): string {
  switch (`${name} ${sub}`.toUpperCase()) {
    case 'HELLO 3':
      return '%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n'
    case 'CLIENT TRACKINGINFO':
      return TRACKED
    case 'CLIENT SETINFO':
    case 'CLIENT TRACKING':
      return '+OK\r\n'
    default:
      return ''
  }
}

const trackingInfo = (flag: string, redirect: number) =>
  `%3\r\n$5\r\nflags\r\n~1\r\n$${flag.length}\r\n${flag}\r\n$8\r\nredirect\r\n:${redirect}\r\n$8\r\nprefixes\r\n*0\r\n`
export const TRACKED = trackingInfo('on', 0)
export const UNTRACKED = trackingInfo('off', -1)

export function bulk(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
}

/** A push that says that these keys have changed; without any, that all have. */
export function invalidate(...keys: readonly string[]): Buffer {
  const what = keys.length === 0 ? [Buffer.from('_\r\n')] : [Buffer.from(`*${keys.length}\r\n`), ...keys.map(bulk)]
  return Buffer.concat([Buffer.from('>2\r\n'), bulk('invalidate'), ...what])
}
