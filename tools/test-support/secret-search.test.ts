import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formsOf,
  MIN_SECRET_BYTES,
  type Secret,
  searchSecrets,
  unescapePostgres,
  unescapeRedis,
} from './secret-search.ts'

const secret = Buffer.from('fbefbe00ff10203040506070f0e0d0c0b0a09080ffffffff0102030405060708', 'hex')
const found = (content: string | Uint8Array, value: string | Uint8Array = secret) =>
  searchSecrets([{ name: 's', value }], [{ name: 'p', content }]).map(({ form, at }) => `${form}@${at}`)

describe('finds a secret', () => {
  test('as raw bytes and as hex, in both cases, at every offset', () => {
    for (let offset = 0; offset < 9; offset++) {
      const before = Buffer.alloc(offset, 0xfb)
      expect(found(Buffer.concat([before, secret, before]))).toEqual([`raw@${offset}`])
    }
    expect(found(`x${secret.toString('hex')}y`)).toEqual(['hex@1'])
    expect(found(`xy${secret.toString('hex').toUpperCase()}`)).toEqual(['HEX@2'])
  })

  test('in base64 and base64url whatever stands before and behind it', () => {
    const bytes = fc.uint8Array({ minLength: MIN_SECRET_BYTES, maxLength: 70 })
    const around = fc.uint8Array({ maxLength: 9 })
    fc.assert(
      fc.property(
        bytes,
        around,
        around,
        fc.constantFrom('base64' as const, 'base64url' as const),
        (value, a, b, as) => {
          const form = Buffer.concat([a, value, b]).toString(as)
          const hits = found(form, value)
          // The alphabets agree on many secrets; then the first form is the one that is named.
          const shift = a.length % 3
          expect(hits.some((hit) => hit.startsWith(`base64+${shift}@`) || hit.startsWith(`base64url+${shift}@`))).toBe(
            true,
          )
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('as text: in JSON, in a URL, and as the base64 of a message around it', () => {
    const password = 'pä"ss\\ wörd & 8'
    expect(found(`log: ${password}`, password)).toEqual(['raw@5'])
    expect(found(JSON.stringify({ password }), password)).toEqual(['JSON@13'])
    expect(found(`?p=${encodeURIComponent(password)}`, password)).toEqual(['URL@3'])
    expect(found(Buffer.from(`ab${password}c`).toString('base64'), password)).toEqual(['base64+2@3'])
  })

  test('behind the escapes of MONITOR', () => {
    const line = `1.2 [0 127.0.0.1:1] "set" "a\\"b" "${quoted(secret)}"`
    expect(found(line)).toEqual([])
    expect(found(unescapeRedis(line)).map((hit) => hit.split('@')[0])).toEqual(['raw'])
    const any = randomBytes(4096)
    expect(unescapeRedis(quoted(any))).toEqual(any)
  })

  test('behind the hex of the log of PostgreSQL', () => {
    const text = Buffer.from(`{"token":"${secret.toString('base64url')}"}`)
    const line = `DETAIL:  Parameters: $1 = '7', $2 = '\\x${text.toString('hex')}'`
    expect(found(line)).toEqual([])
    expect(found(unescapePostgres(line)).map((hit) => hit.split('+')[0])).toEqual(['base64url'])
    const any = randomBytes(4096)
    expect(unescapePostgres(`\\x${any.toString('hex')}`)).toEqual(any)
  })

  test('once for each form and place, and names neither the secret nor its value', () => {
    const places = ['a', 'b'].map((name) => ({ name, content: Buffer.concat([secret, secret]) }))
    const hits = searchSecrets([{ name: 'key', value: secret }], places)
    expect(hits).toEqual(places.map(({ name }) => ({ secret: 'key', place: name, form: 'raw', at: 0 })))
  })
})

test('finds nothing where one byte, one character or the end is missing', () => {
  expect(found(secret.subarray(1))).toEqual([])
  expect(found(secret.subarray(0, -1))).toEqual([])
  for (const [form, bytes] of formsOf(secret)) {
    const short = Buffer.from(bytes)
    short[short.length - 1]! ^= 1
    expect([form, found(short)]).toEqual([form, []])
    expect([form, found(bytes).length]).toEqual([form, 1])
  }
})

test('finds each of many secrets in a large place, and nothing of others', () => {
  const make = (count: number): Secret[] =>
    Array.from({ length: count }, (_, n) => ({ name: String(n), value: randomBytes(32) }))
  const [there, absent] = [make(300), make(300)]
  const content = Buffer.concat(there.flatMap(({ value }) => [randomBytes(5_000), value as Buffer]))
  expect(searchSecrets(there, [{ name: 'p', content }]).length).toBe(300)
  expect(searchSecrets(absent, [{ name: 'p', content }])).toEqual([])
})

test('refuses a secret so short that it would be found by chance', () => {
  expect(() => searchSecrets([{ name: 'pin', value: '1234567' }], [])).toThrow('pin is shorter than 8 bytes')
})

/** As Redis writes bytes in `MONITOR` (`sdscatrepr`). */
function quoted(bytes: Uint8Array): string {
  const names: Readonly<Record<number, string>> = {
    7: '\\a',
    8: '\\b',
    9: '\\t',
    10: '\\n',
    13: '\\r',
    34: '\\"',
    92: '\\\\',
  }
  return [...bytes]
    .map((byte) => {
      if (names[byte]) return names[byte]
      return byte >= 32 && byte < 127 ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}
