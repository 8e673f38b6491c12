import { generateKeyPairSync, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { foreignKeys, readKeySet, readMacKey, readPublicKey } from '../../src/tokens/public-key.ts'

const pair = (type: 'ec' | 'ed25519' | 'rsa', options: object = {}) => {
  const { publicKey, privateKey } = generateKeyPairSync(type as 'ec', options as { namedCurve: string })
  return { pub: publicKey.export({ format: 'jwk' }), priv: privateKey.export({ format: 'jwk' }) }
}
const ec = pair('ec', { namedCurve: 'P-256' })
const ed = pair('ed25519')
const rsa = pair('rsa', { modulusLength: 2048 })
const secret = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url') }

describe('a public key of somebody else', () => {
  test('is bound to the algorithm that it names, or that the caller names', () => {
    expect(readPublicKey({ ...ec.pub, alg: 'ES256', kid: 'a' }, 'key')).toMatchObject({ alg: 'ES256', kid: 'a' })
    expect(readPublicKey(ed.pub, 'key', 'Ed25519')).toMatchObject({ alg: 'Ed25519' })
    expect(readPublicKey(rsa.pub, 'key', 'RS256')).toMatchObject({ alg: 'RS256' })
  })

  test('EdDSA is Ed25519 by its old name, for the key that says so and for no other', () => {
    expect(readPublicKey({ ...ed.pub, alg: 'EdDSA' }, 'key')).toMatchObject({ alg: 'Ed25519', alias: 'EdDSA' })
    expect(readPublicKey({ ...ed.pub, alg: 'Ed25519' }, 'key')).not.toHaveProperty('alias')
  })

  test.each<[string, unknown, string?]>([
    ['no object', 'key'],
    ['a list', [ec.pub], 'ES256'],
    ['no algorithm', ec.pub],
    ['an algorithm that we do not ship', { ...rsa.pub, alg: 'PS256' }],
    ['none', { ...ec.pub, alg: 'none' }],
    ['a name that objects have', { ...ec.pub, alg: 'constructor' }],
    ['two algorithms', { ...ec.pub, alg: 'ES256' }, 'Ed25519'],
    ['another curve', pair('ec', { namedCurve: 'P-384' }).pub, 'ES256'],
    ['another type', { ...ec.pub, kty: 'RSA' }, 'ES256'],
    ['a private EC key', ec.priv, 'ES256'],
    ['a private Ed25519 key', ed.priv, 'Ed25519'],
    ['a private RSA key', rsa.priv, 'RS256'],
    ['a symmetric key', secret, 'HS256'],
    ['a key for encryption', { ...rsa.pub, use: 'enc' }, 'RS256'],
    ['key_ops without verify', { ...rsa.pub, key_ops: ['encrypt'] }, 'RS256'],
    ['key_ops that are no list', { ...rsa.pub, key_ops: 'verify' }, 'RS256'],
    ['a point off the curve', { ...ec.pub, y: ec.pub.x }, 'ES256'],
    ['a short coordinate', { ...ec.pub, x: 'AAAA' }, 'ES256'],
    ['a padded coordinate', { ...ec.pub, x: `${ec.pub.x}=` }, 'ES256'],
    [
      'the point of order 1',
      { ...ed.pub, x: Buffer.from([1, ...new Array(31).fill(0)]).toString('base64url') },
      'Ed25519',
    ],
    ['RSA of 1024 bits', pair('rsa', { modulusLength: 1024 }).pub, 'RS256'],
    ['the exponent 3', { ...rsa.pub, e: 'Aw' }, 'RS256'],
    ['the exponent 1', { ...rsa.pub, e: 'AQ' }, 'RS256'],
    ['an even exponent', { ...rsa.pub, e: 'AQAC' }, 'RS256'],
    ['an even modulus', { ...rsa.pub, n: `${rsa.pub.n!.slice(0, -4)}AAAA` }, 'RS256'],
    ['no modulus', { ...rsa.pub, n: '' }, 'RS256'],
    ['a kid that is a number', { ...ec.pub, kid: 1 }, 'ES256'],
  ])('%s is refused, and no message holds the key', (_, jwk, alg) => {
    const read = () => readPublicKey(jwk, 'key', alg)
    expect(read).toThrow(expect.objectContaining({ code: 'ERR_KEY_UNUSABLE' }))
    try {
      read()
    } catch (error) {
      for (const part of [ec.priv.d, ed.priv.d, rsa.priv.d, rsa.priv.p, secret.k])
        expect(inspect(error, { depth: 9 })).not.toContain(part)
    }
  })

  test('Ed25519 points: all of small order and all off the curve are refused, and generated ones are not', () => {
    const encoding = (hex: string) => Buffer.from(hex, 'hex').toString('base64url')
    const small = [
      `${'00'.repeat(32)}`,
      `01${'00'.repeat(31)}`,
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      `ec${'ff'.repeat(30)}7f`,
    ]
    for (const hex of small) {
      // Why they are refused: the identity as R and zero as S is a signature of some message under each of them. From 24
      // on Node refuses them itself, but not when the key is read.
      const forged = Buffer.from(`01${'00'.repeat(63)}`, 'hex')
      const key = { format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: encoding(hex) } } as const
      const fooled = Array.from({ length: 64 }, (_, n) => verify(null, Buffer.from([n]), key as never, forged))
      expect(fooled.includes(true), hex).toBe(Number.parseInt(process.versions.node, 10) < 24)
      for (const bytes of [hex, hex.replace(/..$/, (last) => (Number.parseInt(last, 16) | 0x80).toString(16))]) {
        expect(() => readPublicKey({ kty: 'OKP', crv: 'Ed25519', x: encoding(bytes) }, 'key', 'Ed25519')).toThrow()
      }
    }
    // y = p + 3 is the same number as y = 3, written in a second way; y = 2 has no x.
    for (const hex of [`f0${'ff'.repeat(30)}7f`, `02${'00'.repeat(31)}`]) {
      expect(() => readPublicKey({ kty: 'OKP', crv: 'Ed25519', x: encoding(hex) }, 'key', 'Ed25519')).toThrow()
    }
    for (let n = 0; n < 50; n++) readPublicKey(pair('ed25519').pub, 'key', 'Ed25519')
  })

  test('HMAC keys have at least 32 bytes, and may have more', () => {
    for (const [bytes, ok] of [
      [0, false],
      [31, false],
      [32, true],
      [64, true],
    ] as const) {
      const read = () => readMacKey({ kty: 'oct', alg: 'HS256', k: Buffer.alloc(bytes).toString('base64url') }, 'key')
      if (ok) expect(read()).toMatchObject({ alg: 'HS256' })
      else expect(read).toThrow(expect.objectContaining({ code: 'ERR_KEY_UNUSABLE' }))
    }
    expect(() => readMacKey({ ...secret, alg: 'HS512' }, 'key')).toThrow()
  })
})

describe('a JWK Set', () => {
  const all = ['ES256', 'Ed25519', 'RS256'] as const
  const named = [
    { ...ec.pub, kid: 'ec' },
    { ...ed.pub, kid: 'ed', alg: 'EdDSA' },
    { ...rsa.pub, kid: 'rsa', use: 'sig' },
  ]

  test('binds keys that name no algorithm to the one that fits them', () => {
    expect(readKeySet({ keys: named }, 'set', all).map(({ kid, alg }) => `${kid} ${alg}`)).toEqual([
      'ec ES256',
      'ed Ed25519',
      'rsa RS256',
    ])
  })

  test('leaves out what is not asked for, and what is not for verifying', () => {
    const more = [
      ...named,
      { ...rsa.pub, kid: 'enc', use: 'enc' },
      { ...rsa.pub, kid: 'ps', alg: 'PS256' },
      { ...pair('ec', { namedCurve: 'P-384' }).pub, kid: 'p384' },
      { kty: 'new', kid: 'new' },
    ]
    expect(readKeySet({ keys: more }, 'set', ['ES256', 'Ed25519']).map((key) => key.kid)).toEqual(['ec', 'ed'])
    expect(readKeySet({ keys: [] }, 'set', all)).toEqual([])
  })

  test.each<[string, unknown]>([
    ['no list', { keys: {} }],
    ['no object', null],
    ['a private key', { keys: [...named, { ...ec.priv, kid: 'x' }] }],
    ['a private key for encryption', { keys: [...named, { ...rsa.priv, kid: 'x', use: 'enc' }] }],
    ['a symmetric key', { keys: [...named, { ...secret, kid: 'x' }] }],
    ['one kid twice', { keys: [...named, { ...rsa.pub, kid: 'ec' }] }],
    ['a weak key', { keys: [...named, { ...pair('rsa', { modulusLength: 1024 }).pub, kid: 'x' }] }],
    ['a key off its curve', { keys: [...named, { ...ec.pub, y: ec.pub.x, kid: 'x' }] }],
    ['an ES256 key of another curve', { keys: [{ ...pair('ec', { namedCurve: 'P-384' }).pub, alg: 'ES256' }] }],
    ['something that is no key', { keys: [...named, 'key'] }],
  ])('with %s is refused as a whole', (_, set) => {
    expect(() => readKeySet(set, 'set', all)).toThrow(expect.objectContaining({ code: 'ERR_KEY_UNUSABLE' }))
  })

  test('a header finds its key by kid, or without one where exactly one key fits', () => {
    const find = foreignKeys(readKeySet({ keys: named }, 'set', all))
    expect(find('ec', 'ES256')?.kid).toBe('ec')
    expect(find('ec', 'Ed25519')).toBeUndefined()
    expect(find('EC', 'ES256')).toBeUndefined()
    expect(find('__proto__', 'ES256')).toBeUndefined()
    expect(find('ed', 'EdDSA')?.kid).toBe('ed')
    expect(find('ed', 'Ed25519')?.kid).toBe('ed')
    expect(find('ec', 'EdDSA')).toBeUndefined()
    expect(find(undefined, 'ES256')?.kid).toBe('ec')
    const two = foreignKeys(readKeySet({ keys: [...named, pair('ec', { namedCurve: 'P-256' }).pub] }, 'set', all))
    expect(two(undefined, 'ES256')).toBeUndefined()
    expect(two(undefined, 'RS256')?.kid).toBe('rsa')
  })
})
