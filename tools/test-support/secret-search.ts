// Searches files, logs and answers for secrets, in every form in which a careless line of code would have put them there.
// What it cannot see through is compression and encryption: hand it what was there before.

export interface Secret {
  /** What it is, for the report: the secret itself never stands in one. */
  readonly name: string
  /** Bytes, or text that stands for its UTF-8 bytes. At least 8 bytes, or everything would be a hit. */
  readonly value: string | Uint8Array
}

export interface Place {
  /** Where it comes from: `redis AOF`, `log of the server`. */
  readonly name: string
  readonly content: string | Uint8Array
}

export interface Hit {
  readonly secret: string
  readonly place: string
  readonly form: string
  /** In bytes from the start of the content. */
  readonly at: number
}

interface Pattern {
  readonly secret: string
  readonly form: string
  readonly bytes: Buffer
}

export const MIN_SECRET_BYTES = 8

/** Every form of a secret that is looked for. */
export function formsOf(value: string | Uint8Array): ReadonlyMap<string, Buffer> {
  const bytes = Buffer.from(value as Uint8Array)
  const forms = new Map<string, Buffer>([
    ['raw', bytes],
    ['hex', Buffer.from(bytes.toString('hex'))],
    ['HEX', Buffer.from(bytes.toString('hex').toUpperCase())],
  ])
  for (const alphabet of ['base64', 'base64url'] as const) {
    for (const shift of [0, 1, 2] as const)
      forms.set(`${alphabet}+${shift}`, Buffer.from(inside(bytes, alphabet, shift)))
  }
  if (typeof value === 'string') {
    forms.set('JSON', Buffer.from(JSON.stringify(value).slice(1, -1)))
    forms.set('URL', Buffer.from(encodeURIComponent(value)))
  }
  return forms
}

/**
 * The characters that are the same whatever stands around the bytes, when they begin `shift` bytes into a group of
 * three: the first and the last character may share their bits with a neighbour, and are left out then.
 */
function inside(bytes: Buffer, alphabet: 'base64' | 'base64url', shift: 0 | 1 | 2): string {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString(alphabet)
  const firstWhole = Math.ceil((shift * 8) / 6)
  const wholes = Math.floor(((shift + bytes.length) * 8) / 6)
  return text.slice(firstWhole, wholes)
}

/** Every place where a secret stands, in whatever form; at most one hit for each secret, form and place. */
export function searchSecrets(secrets: Iterable<Secret>, places: Iterable<Place>): Hit[] {
  const index = indexOf(secrets)
  const hits: Hit[] = []
  for (const { name, content } of places) {
    const seen = new Set<Pattern>()
    for (const [pattern, at] of scan(Buffer.from(content as Uint8Array), index)) {
      if (seen.has(pattern)) continue
      seen.add(pattern)
      hits.push({ secret: pattern.secret, place: name, form: pattern.form, at })
    }
  }
  return hits
}

type Index = ReadonlyMap<number, readonly Pattern[]>

/** By their first four bytes, so that a place is read once, however many secrets there are. */
function indexOf(secrets: Iterable<Secret>): Index {
  const index = new Map<number, Pattern[]>()
  for (const { name, value } of secrets) {
    if (Buffer.byteLength(value as Uint8Array) < MIN_SECRET_BYTES) {
      throw new Error(`${name} is shorter than ${MIN_SECRET_BYTES} bytes: it would be found by chance`)
    }
    const known = new Set<string>()
    for (const [form, bytes] of formsOf(value)) {
      // Without a `+` or `/` the two alphabets agree, and most text needs no escape.
      const same = bytes.toString('latin1')
      if (known.has(same)) continue
      known.add(same)
      const start = bytes.readUInt32BE(0)
      const others = index.get(start)
      if (others) others.push({ secret: name, form, bytes })
      else index.set(start, [{ secret: name, form, bytes }])
    }
  }
  return index
}

function* scan(content: Buffer, index: Index): Generator<[Pattern, number]> {
  let start = 0
  for (let end = 0; end < content.length; end++) {
    start = ((start << 8) | content[end]!) >>> 0
    if (end < 3) continue
    const patterns = index.get(start)
    if (!patterns) continue
    const at = end - 3
    for (const pattern of patterns) {
      const until = at + pattern.bytes.length
      if (until > content.length) continue
      if (content.compare(pattern.bytes, 0, pattern.bytes.length, at, until) === 0) yield [pattern, at]
    }
  }
}

/**
 * The bytes behind the quoted strings of `MONITOR` and `redis-cli`, where `\x1f` stands for one byte: without this, raw
 * bytes would hide behind their escapes.
 */
export function unescapeRedis(text: string): Buffer {
  const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' }
  const plain = text.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, char: string) =>
    hex === undefined ? (named[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(plain, 'latin1')
}

/** The bytes behind the `\x…` of `bytea` values in the log of PostgreSQL: without this, text would hide behind its hex. */
export function unescapePostgres(log: string): Buffer {
  const plain = log.replace(/\\x((?:[0-9a-f]{2})+)/g, (_, hex: string) => Buffer.from(hex, 'hex').toString('latin1'))
  return Buffer.from(plain, 'latin1')
}
