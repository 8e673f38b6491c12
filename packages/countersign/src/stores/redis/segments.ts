import { CountersignError, invalidInput } from '../../internal/errors.ts'

/** The faults of the codecs. They never say what was found. */
export function corrupt(what: string): CountersignError {
  return new CountersignError('ERR_STORE_CORRUPT', `${what} in Redis cannot be read`, { store: 'redis' })
}

/** A piece of a stored value with its length before it: one byte, or 255 and four bytes. `includes/segments.lua`. */
export function segment(bytes: Buffer): Buffer {
  if (bytes.length < 255) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = Buffer.alloc(5, 255)
  length.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([length, bytes])
}

/** An integer that fits its place in a stored value. */
export function unsigned(value: number, bytes: number, name: string): number {
  if (!Number.isInteger(value) || value < 0 || value >= 256 ** bytes) {
    throw invalidInput(name, `must be a whole number below 2^${8 * bytes}`)
  }
  return value
}

/**
 * Reads a stored value from its start. Everything that does not fit throws `ERR_STORE_CORRUPT`. Written for speed: every
 * request that is checked against the store decodes a record.
 */
export class Cursor {
  readonly #bytes: Buffer
  readonly #what: string
  #at = 0

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  uint(size: number): number {
    const at = this.#move(size)
    let value = 0
    for (let i = at; i < at + size; i++) value = value * 256 + this.#bytes[i]!
    return value
  }
  int(size: number): number {
    const value = this.uint(size)
    const limit = 2 ** (8 * size - 1)
    return value < limit ? value : value - 2 * limit
  }
  /** A copy: the reply of a thousand sessions is one buffer, which a slice would keep alive. */
  bytes(size: number): Uint8Array {
    const at = this.#move(size)
    const copy = new Uint8Array(size)
    for (let i = 0; i < size; i++) copy[i] = this.#bytes[at + i]!
    return copy
  }
  text(size: number): string {
    const at = this.#move(size)
    if (size === 0) return ''
    return this.#bytes.toString('utf8', at, at + size)
  }
  segment(): string {
    return this.text(this.#segmentSize())
  }
  segmentBytes(): Buffer {
    const size = this.#segmentSize()
    const at = this.#move(size)
    return this.#bytes.subarray(at, at + size)
  }
  rest(): string {
    return this.text(this.#bytes.length - this.#at)
  }
  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length
  }
  fail(): never {
    throw corrupt(this.#what)
  }

  #segmentSize(): number {
    const short = this.uint(1)
    return short < 255 ? short : this.uint(4)
  }
  #move(size: number): number {
    const at = this.#at
    if (at + size > this.#bytes.length) this.fail()
    this.#at = at + size
    return at
  }
}
