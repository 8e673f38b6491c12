// Ways to change a token that is right into one that is not, or into junk that only looks like one.
import type { Random } from '../../../../tools/test-support/random.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const HOSTILE = `${ALPHABET}.=+/ \t\r\n\0"{}[]:,é\u0141\u{1f600}\ufeff`
const b64 = (text: string | Buffer) => Buffer.from(text).toString('base64url')

export type Mutator = (token: string, random: Random, other: string) => string

const at = (token: string, random: Random) => random.below(token.length)
const part = (index: number, change: (text: string, random: Random) => string): Mutator => {
  return (token, random) => {
    const parts = token.split('.')
    parts[index % parts.length] = change(parts[index % parts.length]!, random)
    return parts.join('.')
  }
}
const json = (index: number, change: (text: string, random: Random) => string): Mutator =>
  part(index, (text, random) => b64(change(Buffer.from(text, 'base64url').toString(), random)))

export const MUTATORS: readonly Mutator[] = [
  // characters
  (token, random) => {
    const where = at(token, random)
    return token.slice(0, where) + random.pick([...HOSTILE]) + token.slice(where + 1)
  },
  (token, random) => {
    const where = at(token, random)
    return token.slice(0, where) + random.pick([...HOSTILE]) + token.slice(where)
  },
  (token, random) => {
    const where = at(token, random)
    return token.slice(0, where) + token.slice(where + 1)
  },
  (token, random) => token.slice(0, at(token, random)),
  (token, random) => token.slice(at(token, random)),
  (token, random) => token + random.text(HOSTILE, 1 + random.below(4)),
  (token, random) => random.text(HOSTILE, 1 + random.below(4)) + token,
  (token, random) => token.replaceAll('-', random.pick(['+', '-'])).replaceAll('_', '/'),
  (token, random) => {
    const where = at(token, random)
    const flipped =
      token[where] === token[where]!.toLowerCase() ? token[where]!.toUpperCase() : token[where]!.toLowerCase()
    return token.slice(0, where) + flipped + token.slice(where + 1)
  },
  // The unused bits of a last character: the same bytes for a decoder that does not look.
  (token, random) => {
    const parts = token.split('.')
    const index = random.below(parts.length)
    const last = parts[index]!.at(-1) ?? 'A'
    parts[index] = `${parts[index]!.slice(0, -1)}${ALPHABET[ALPHABET.indexOf(last) ^ (1 + random.below(3))] ?? 'B'}`
    return parts.join('.')
  },
  // A character of another script whose low byte is that of the right one.
  (token, random) => {
    const where = at(token, random)
    return token.slice(0, where) + String.fromCharCode(token.charCodeAt(where) + 0x100) + token.slice(where + 1)
  },
  // parts
  (token, random) => {
    const parts = token.split('.')
    const [a, b] = [random.below(parts.length), random.below(parts.length)]
    ;[parts[a], parts[b]] = [parts[b]!, parts[a]!]
    return parts.join('.')
  },
  (token, random) =>
    token
      .split('.')
      .filter((_, index) => index !== random.below(5))
      .join('.'),
  (token, random) => [...token.split('.'), random.pick(token.split('.'))].join('.'),
  (token, random, other) => {
    const [mine, theirs] = [token.split('.'), other.split('.')]
    return mine.map((text, index) => (random.chance(2) ? text : (theirs[index] ?? text))).join('.')
  },
  part(2, () => ''),
  part(2, (text, random) => b64(random.bytes(Buffer.from(text, 'base64url').length))),
  part(2, (text) => b64(Buffer.alloc(Buffer.from(text, 'base64url').length))),
  part(2, (text) => b64(der(Buffer.from(text, 'base64url')))),
  part(0, (_, random) => b64(random.bytes(random.below(80)))),
  part(1, (_, random) => b64(random.bytes(random.below(200)))),
  // header and claims
  json(0, (text, random) =>
    text.replace(
      /"alg":"[^"]*"/,
      `"alg":${random.pick(['"none"', '"HS256"', '"ES256"', '"RS256"', 'null', '1', '["HS256"]'])}`,
    ),
  ),
  json(0, (text, random) =>
    text.replace(
      /}$/,
      `,${random.pick(['"crit":["x"]', '"b64":false', '"jwk":{}', '"jku":"http://127.0.0.1:9/"', '"zip":"DEF"', '"alg":"none"', '"\\u0061lg":"none"', '"cty":"JWT"', '"__proto__":{"alg":"none"}'])}}`,
    ),
  ),
  json(0, (text, random) =>
    text.replace(
      /"kid":"[^"]*"/,
      `"kid":${random.pick(['""', '"__proto__"', '1', 'null', '"../../dev/null"', '"x\' OR 1=1"'])}`,
    ),
  ),
  json(0, (text, random) =>
    text.replace('at+jwt', random.pick(['JWT', 'logout+jwt', 'dpop+jwt', 'at+jwt ', 'AT+JWT', ''])),
  ),
  json(0, (text, random) => random.pick([` ${text}`, `${text}\n`, `\ufeff${text}`, `[${text}]`, `${text}${text}`])),
  json(1, (text, random) =>
    text.replace(
      /}$/,
      `,${random.pick(['"sub":"admin"', '"roles":["admin"]', '"exp":99999999999', '"\\u0073ub":"admin"', '"events":{}'])}}`,
    ),
  ),
  json(1, (text) => text.replace(/"sub":"[^"]*"/, '"sub":"admin"')),
  json(1, (text, random) =>
    random.pick([` ${text}`, `[${text}]`, 'null', '""', '{}', `${'['.repeat(2_000)}${']'.repeat(2_000)}`]),
  ),
  // wrappers
  (token) => `Bearer ${token}`,
  (token) => `"${token}"`,
  (token) => {
    const [header, payload, signature] = token.split('.')
    return JSON.stringify({ protected: header, payload, signature })
  },
  // junk
  (_, random) => random.text(HOSTILE, random.below(400)),
  (_, random) => random.bytes(random.below(300)).toString('latin1'),
  (_, random) => [0, 1, 2].map(() => b64(random.bytes(random.below(100)))).join('.'),
  (_, random) => [0, 1, 2, 3, 4].map(() => b64(random.bytes(random.below(60)))).join('.'),
  (_, random) => 'A'.repeat(8_000 + random.below(400)),
]

/** r ‖ s as ASN.1, which ECDSA libraries produce and JWS forbids. */
function der(signature: Buffer): Buffer {
  const half = signature.length / 2
  const integer = (bytes: Buffer) => Buffer.concat([Buffer.from([2, bytes.length + 1, 0]), bytes])
  const body = Buffer.concat([integer(signature.subarray(0, half)), integer(signature.subarray(half))])
  return Buffer.concat([Buffer.from([0x30, body.length]), body])
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** (r, n − s): the second signature that is right for every ES256 signature. */
export function twinOf(token: string): string {
  const [header, claims, text] = token.split('.')
  const signature = Buffer.from(text!, 'base64url')
  const s = ORDER - BigInt(`0x${signature.subarray(32).toString('hex')}`)
  const twin = Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')])
  return `${header}.${claims}.${b64(twin)}`
}
