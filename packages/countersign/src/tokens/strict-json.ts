/** A JSON object as JWT headers and claims hold it. */
export type JsonObject = { readonly [name: string]: unknown }

const MAX_DEPTH = 16

/**
 * Parses UTF-8 bytes that must hold exactly one JSON object, and refuses what two parsers could read differently
 * (RFC 8725 section 3.7, RFC 7515 section 4): invalid UTF-8, a byte order mark, duplicate members at any depth, numbers
 * that are not finite, half surrogate pairs, anything nested deeper than 16.
 */
export function parseStrictObject(bytes: Uint8Array): JsonObject | undefined {
  let text: string
  let value: unknown
  try {
    text = utf8.decode(bytes)
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  // A text that equals the serialisation of its own parse lost nothing in parsing: no duplicate, no infinity. Escapes
  // are left to the scan, because they can hide half a surrogate pair.
  const canonical = !text.includes('\\u') && depthOf(value) <= MAX_DEPTH && JSON.stringify(value) === text
  return canonical || new Scan(text).isStrict() ? (value as JsonObject) : undefined
}

// `ignoreBOM: true` means that a byte order mark is kept as a character, which JSON.parse then refuses.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let deepest = 0
  for (const member of Object.values(value)) {
    if (typeof member !== 'object' || member === null) continue
    deepest = Math.max(deepest, depthOf(member))
    if (deepest > MAX_DEPTH) break
  }
  return deepest + 1
}

/** Walks a text that JSON.parse has accepted, so it only has to look for what JSON.parse lets through. */
class Scan {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  isStrict(): boolean {
    return this.#value(1)
  }

  #value(depth: number): boolean {
    this.#skipSpace()
    switch (this.#text[this.#at]) {
      case '{':
        return depth <= MAX_DEPTH && this.#object(depth)
      case '[':
        return depth <= MAX_DEPTH && this.#array(depth)
      case '"':
        return this.#string() !== undefined
      default: {
        const start = this.#at
        while (this.#at < this.#text.length && !',]} \t\n\r'.includes(this.#text[this.#at]!)) this.#at++
        const word = this.#text.slice(start, this.#at)
        return word === 'true' || word === 'false' || word === 'null' || Number.isFinite(Number(word))
      }
    }
  }

  #object(depth: number): boolean {
    const names = new Set<string>()
    for (this.#at++; ; this.#at++) {
      this.#skipSpace()
      if (this.#text[this.#at] === '}') break
      const name = this.#string()
      if (name === undefined || names.has(name)) return false
      names.add(name)
      this.#skipSpace()
      this.#at++ // the colon
      if (!this.#value(depth + 1)) return false
      this.#skipSpace()
      if (this.#text[this.#at] === '}') break
    }
    this.#at++
    return true
  }

  #array(depth: number): boolean {
    for (this.#at++; ; this.#at++) {
      this.#skipSpace()
      if (this.#text[this.#at] === ']') break
      if (!this.#value(depth + 1)) return false
      this.#skipSpace()
      if (this.#text[this.#at] === ']') break
    }
    this.#at++
    return true
  }

  #string(): string | undefined {
    const start = this.#at++
    while (this.#text[this.#at] !== '"') this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    const value = JSON.parse(this.#text.slice(start, ++this.#at)) as string
    return HALF_PAIR.test(value) ? undefined : value
  }

  #skipSpace(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'x')) this.#at++
  }
}

const HALF_PAIR = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/
