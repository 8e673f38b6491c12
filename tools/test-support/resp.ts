// The little of the Redis protocol that test tools need: writing commands, and reading those of others.
import { connect } from 'node:net'

export function encode(command: readonly string[]): string {
  return `*${command.length}\r\n${command.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}

/** Sends the commands on a connection of their own, and gives all bytes that come until as many lines have come. */
export function ask(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let text = ''
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer from redis-server within 10 s')))
    socket.once('error', reject)
    socket.once('close', () => resolve(text))
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (text.split('\r\n').length > commands.length) socket.end()
    })
    socket.write(commands.map(encode).join(''))
  })
}

/** Takes bytes as they come and calls `onCommand` for each complete request. Knows arrays of bulk strings and inline. */
export class RequestParser {
  #rest: Buffer = Buffer.alloc(0)
  /** How many bytes the next try needs at least; keeps a large value from being parsed again on every packet. */
  #needed = 0
  readonly #onCommand: (words: Buffer[]) => void

  constructor(onCommand: (words: Buffer[]) => void) {
    this.#onCommand = onCommand
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (this.#rest.length - at >= Math.max(1, this.#needed)) {
      this.#needed = 0
      const end = this.#parse(at)
      if (end === undefined) break
      at = end
    }
    this.#rest = this.#rest.subarray(at)
  }

  /** The position after the request that starts at `start`, or undefined when it is not all there yet. */
  #parse(start: number): number | undefined {
    const first = this.#line(start)
    if (first === undefined) return undefined
    if (!first.text.startsWith('*')) {
      const words = first.text.split(/\s+/).filter((word) => word !== '')
      if (words.length > 0) this.#onCommand(words.map((word) => Buffer.from(word, 'latin1')))
      return first.next
    }
    const words: Buffer[] = []
    let at = first.next
    for (let left = Number(first.text.slice(1)); left > 0; left--) {
      const head = this.#line(at)
      if (head === undefined) return undefined
      if (!head.text.startsWith('$')) throw new Error(`a request holds ${JSON.stringify(head.text)}, not a bulk string`)
      const end = head.next + Number(head.text.slice(1))
      if (this.#rest.length < end + 2) {
        this.#needed = end + 2 - start
        return undefined
      }
      words.push(this.#rest.subarray(head.next, end))
      at = end + 2
    }
    if (words.length > 0) this.#onCommand(words)
    return at
  }

  #line(at: number): { text: string; next: number } | undefined {
    const end = this.#rest.indexOf('\r\n', at)
    return end < 0 ? undefined : { text: this.#rest.toString('latin1', at, end), next: end + 2 }
  }
}
