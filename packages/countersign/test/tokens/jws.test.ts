import { createHmac, generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { generateKeyring } from '../../src/tokens/generate-keyring.ts'
import { signJws, verifyJws } from '../../src/tokens/jws.ts'
import type { SigningAlg, SigningKey } from '../../src/tokens/key-material.ts'
import { keysOf, loadKeyring } from '../../src/tokens/keyring.ts'
import type { Keys } from '../../src/tokens/keys.ts'

const ALGS: SigningAlg[] = ['HS256', 'ES256', 'Ed25519']
const b64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

describe.each(ALGS)('compact JWS with %s', (alg) => {
  let keys: Keys
  let key: SigningKey
  const lookup = (kid: string, stated: string) => {
    const found = keys.signing.get(kid)
    return found?.alg === stated ? found : undefined
  }
  const verdict = (token: string) => {
    const result = verifyJws(token, 'at+jwt', lookup)
    return result.ok ? 'accepted' : result.reason
  }
  /** A token with this header, signed with the right key, so that only the header can be at fault. */
  const withHeader = (header: object) => {
    const [, claims] = signJws({ sub: 'u' }, 'at+jwt', key).split('.')
    const input = `${b64(header)}.${claims}`
    return alg === 'HS256'
      ? `${input}.${createHmac('sha256', key.signWith).update(input).digest('base64url')}`
      : `${input}.AAAA`
  }
  beforeAll(async () => {
    keys = keysOf(await loadKeyring(generateKeyring({ signing: ALGS })))
    key = keys.signWith(alg)!
  })

  test('what was signed is accepted, also with the media type written out', () => {
    const token = signJws({ sub: 'u', n: 1 }, 'at+jwt', key)
    expect(verifyJws(token, 'at+jwt', lookup)).toMatchObject({
      ok: true,
      header: { alg, kid: key.kid, typ: 'at+jwt' },
      claims: { sub: 'u', n: 1 },
    })
    expect(verdict(signJws({}, 'application/AT+JWT', key))).toBe('accepted')
    expect(verdict(signJws({}, 'JWT', key))).toBe('malformed')
  })

  test('every change of one character is refused', () => {
    const token = signJws({ sub: 'u' }, 'at+jwt', key)
    for (let at = 0; at < token.length; at++) {
      for (const other of ['A', 'B', '=', '.', ' ', '+']) {
        if (token[at] === other) continue
        expect(verdict(token.slice(0, at) + other + token.slice(at + 1)), `${at} ${other}`).not.toBe('accepted')
      }
    }
  })

  test('header members that we do not know are refused, not ignored', () => {
    const good = { alg, kid: key.kid, typ: 'at+jwt' }
    for (const more of [
      { crit: ['exp'] },
      { b64: false },
      { zip: 'DEF' },
      { jku: 'https://x' },
      { jwk: {} },
      { x5c: [] },
      { cty: 'JWT' },
    ]) {
      expect(verdict(withHeader({ ...good, ...more })), JSON.stringify(more)).toBe('malformed')
    }
    for (const kid of [1, null, [], {}]) expect(verdict(withHeader({ ...good, kid }))).toBe('malformed')
    for (const kid of ['', '__proto__', 'constructor', `${key.kid} `])
      expect(verdict(withHeader({ ...good, kid }))).toBe('bad_signature')
    for (const stated of ['none', 'None', '', 'hs256', 'HS512', 'RS256', 'ES256K']) {
      expect(verdict(withHeader({ ...good, alg: stated }))).toBe('bad_signature')
    }
  })

  test('no key serves two algorithms', () => {
    for (const other of ALGS.filter((name) => name !== alg)) {
      expect(verdict(withHeader({ alg: other, kid: key.kid, typ: 'at+jwt' }))).toBe('bad_signature')
    }
  })

  test('length, parts and wrappers', () => {
    const token = signJws({ sub: 'u' }, 'at+jwt', key)
    const [header, claims, signature] = token.split('.')
    const bad = [
      '',
      '.',
      '..',
      `${header}.${claims}`,
      `${token}.`,
      ` ${token}`,
      `${token}\n`,
      `Bearer ${token}`,
      `${header}..${signature}`,
    ]
    for (const text of [
      ...bad,
      `${header}.${claims}.`,
      'x'.repeat(9_000),
      JSON.stringify({ payload: claims, protected: header, signature }),
    ]) {
      expect(verdict(text)).not.toBe('accepted')
    }
    const big = signJws({ sub: 'x'.repeat(8_000) }, 'at+jwt', key)
    expect(verdict(big)).toBe('malformed')
  })
})

test('a public key is no HMAC secret (CVE-2015-9235)', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const keys = keysOf(await loadKeyring(generateKeyring({ signing: ['ES256'] })))
  const es = keys.signWith('ES256')!
  const input = `${b64({ alg: 'HS256', kid: es.kid, typ: 'at+jwt' })}.${b64({ sub: 'admin' })}`
  for (const secret of [
    es.verifyWith.export({ format: 'pem', type: 'spki' }),
    es.verifyWith.export({ format: 'der', type: 'spki' }),
    publicKey.export({ format: 'pem', type: 'spki' }),
    JSON.stringify(es.publicJwk),
    '',
  ]) {
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    const lookup = (kid: string, alg: string) =>
      keys.signing.get(kid)?.alg === alg ? keys.signing.get(kid) : undefined
    expect(verifyJws(token, 'at+jwt', lookup)).toMatchObject({ ok: false, reason: 'bad_signature' })
  }
})
