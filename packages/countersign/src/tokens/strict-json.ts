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
  return isPlainlyStrict(bytes, value) || new Scan(text).isStrict() ? (value as JsonObject) : undefined
}

/**
 * The quick way to see that a parse lost nothing, for texts without escapes: then every `"` begins or ends a string, so
 * as many strings came out as went in exactly when no member was overwritten by a duplicate. Half surrogate pairs can
 * only be written as escapes. Everything else is left to the {@link Scan}.
 */
function isPlainlyStrict(bytes: Uint8Array, value: object): boolean {
  let quotes = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === 0x22) quotes++
    else if (byte === 0x5c) return false
  }
  return countStrings(value, MAX_DEPTH) * 2 === quotes
}

// `ignoreBOM: true` means that a byte order mark is kept as a character, which JSON.parse then refuses.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Strings in an object or array, names of members included. `NaN` when it is too deep or holds what is no finite number. */
function countStrings(value: object, levels: number): number {
  if (levels === 0) return Number.NaN
  let strings = 0
  if (Array.isArray(value)) for (const item of value) strings += stringsOf(item, levels)
  else for (const name in value) strings += 1 + stringsOf((value as JsonObject)[name], levels)
  return strings
}

function stringsOf(value: unknown, levels: number): number {
  switch (typeof value) {
    case 'string':
      return 1
    case 'number':
      return Number.isFinite(value) ? 0 : Number.NaN
    case 'object':
      return value === null ? 0 : countStrings(value, levels - 1)
    default:
      return 0
  }
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
