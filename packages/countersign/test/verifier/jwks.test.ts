import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { createVerifier, type Runtime, type Trust } from 'countersign'
import { samples } from 'countersign/conformance'
import { type TestClock, testClock } from 'countersign/testing'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AUDIENCE, claimsAt, ISSUER, type IssuerKey, issuerKey, signAs } from './issuer.ts'

const { MINUTE, SECOND } = samples

let server: Server
let url: URL
let clock: TestClock
let asked: number
let respond: RequestListener
let keys: IssuerKey[]

const publish: RequestListener = (_, response) => {
  response.setHeader('content-type', 'application/jwk-set+json')
  response.end(JSON.stringify({ keys: keys.map((key) => key.jwk) }))
}
beforeEach(async () => {
  clock = testClock()
  asked = 0
  respond = publish
  keys = [issuerKey('ES256')]
  server = createServer((request, response) => {
    asked++
    respond(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const verifierWith = (more: Partial<Trust> = {}) =>
  createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: url, runtime: clock.runtime, ...more })
const tokenBy = (key: IssuerKey, header: object = {}) => signAs(key, claimsAt(clock.nowMs()), header)
/** Timers that fire at once, so that a deadline of 5 s is over at once. */
const hasty = (): Runtime => ({
  ...clock.runtime,
  timers: { ...clock.runtime.timers, setTimeout: (fn) => setTimeout(fn, 50) },
})

describe('the keys of another issuer', () => {
  test('are asked for once, and then tokens are checked without waiting', async () => {
    const verifier = verifierWith()
    const token = tokenBy(keys[0]!)
    expect(verifier.verifyNow(token)).toBeUndefined()
    const all = await Promise.all(Array.from({ length: 20 }, () => verifier.verify(token)))
    expect(all.every((checked) => checked.ok)).toBe(true)
    expect(verifier.verifyNow(token)).toMatchObject({ ok: true, session: { subject: 'alice' } })
    expect(asked).toBe(1)
  })

  test.each(['Ed25519', 'EdDSA'] as const)('%s', async (alg) => {
    keys = [issuerKey(alg)]
    expect(await verifierWith().verify(tokenBy(keys[0]!))).toMatchObject({ ok: true })
  })

  test('EdDSA is a name for the key that has it, and for no other', async () => {
    keys = [issuerKey('Ed25519')]
    expect(await verifierWith().verify(tokenBy(keys[0]!, { alg: 'EdDSA' }))).toMatchObject({ reason: 'bad_signature' })
  })

  test('RS256 has to be asked for', async () => {
    keys = [issuerKey('RS256'), issuerKey('ES256', 'k2')]
    const token = tokenBy(keys[0]!)
    expect(await verifierWith().verify(token)).toMatchObject({ ok: false, reason: 'bad_signature' })
    expect(await verifierWith({ algorithms: ['RS256'] }).verify(token)).toMatchObject({ ok: true })
  })

  test('a header without kid finds the one key that fits, and none of several', async () => {
    const token = tokenBy(keys[0]!, { kid: undefined })
    expect(await verifierWith().verify(token)).toMatchObject({ ok: true })
    keys = [keys[0]!, issuerKey('ES256', 'k2')]
    expect(await verifierWith().verify(token)).toMatchObject({ ok: false, reason: 'bad_signature' })
  })

  test('the key of one issuer verifies nothing of another, also under the same kid', async () => {
    expect(await verifierWith().verify(tokenBy(issuerKey('ES256')))).toMatchObject({ reason: 'bad_signature' })
    const theirs = signAs(keys[0]!, { ...claimsAt(clock.nowMs()), iss: 'https://issuer.test/' })
    expect(await verifierWith().verify(theirs)).toMatchObject({ reason: 'claim_mismatch' })
  })

  test('an unknown kid asks at most once per 30 s, however many there are', async () => {
    const verifier = verifierWith()
    await verifier.verify(tokenBy(keys[0]!))
    for (let n = 0; n < 100; n++) {
      const checked = await verifier.verify(tokenBy(keys[0]!, { kid: `unknown-${n}` }))
      expect(checked).toMatchObject({ ok: false, reason: 'bad_signature' })
    }
    expect(asked).toBe(1)
    clock.advanceMs(30 * SECOND)
    const next = issuerKey('ES256', 'next')
    keys = [...keys, next]
    expect(verifier.verifyNow(tokenBy(next))).toBeUndefined()
    expect(await verifier.verify(tokenBy(next))).toMatchObject({ ok: true })
    for (let n = 0; n < 100; n++) await verifier.verify(tokenBy(keys[0]!, { kid: `unknown-${n}` }))
    expect(asked).toBe(2)
  })

  test('are renewed in the background from the fifth minute on; a withdrawn key is accepted ten minutes at most', async () => {
    const verifier = verifierWith()
    const old = keys[0]!
    await verifier.verify(tokenBy(old))
    keys = [issuerKey('ES256', 'k2')]
    clock.advanceMs(5 * MINUTE)
    expect(verifier.verifyNow(tokenBy(old))).toMatchObject({ ok: true })
    await expect.poll(() => verifier.verifyNow(tokenBy(old))?.ok).toBe(false)
    expect(asked).toBe(2)
  })

  test('an outage of the issuer is a fault, but not while the set is young; then it heals', async () => {
    const verifier = verifierWith()
    const token = () => tokenBy(keys[0]!)
    respond = (_, response) => response.writeHead(503).end()
    await expect(verifier.verify(token())).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', store: 'jwks' })
    await expect(verifier.verify(token())).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(asked).toBe(1)
    respond = publish
    clock.advanceMs(SECOND)
    expect(await verifier.verify(token())).toMatchObject({ ok: true })
    respond = (_, response) => response.destroy()
    clock.advanceMs(9 * MINUTE)
    expect(await verifier.verify(token())).toMatchObject({ ok: true })
    clock.advanceMs(MINUTE)
    expect(verifier.verifyNow(token())).toBeUndefined()
    await expect(verifier.verify(token())).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    respond = publish
    clock.advanceMs(SECOND)
    expect(await verifier.verify(token())).toMatchObject({ ok: true })
  })

  test.each<[string, () => object[]]>([
    ['a private key', () => [{ ...keys[0]!.jwk, d: 'AAAA' }]],
    ['a symmetric key', () => [{ kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), kid: 'x' }]],
    ['one kid twice', () => [keys[0]!.jwk, issuerKey('ES256').jwk]],
    ['a point off its curve', () => [{ ...keys[0]!.jwk, y: keys[0]!.jwk.x }]],
  ])('a set with %s is refused as a whole', async (_, set) => {
    respond = (_request, response) => response.end(JSON.stringify({ keys: set() }))
    await expect(verifierWith().verify(tokenBy(keys[0]!))).rejects.toMatchObject({ code: 'ERR_KEY_UNUSABLE' })
  })

  test.each<[string, RequestListener]>([
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
    ['more than 64 KiB', (_, response) => response.end(JSON.stringify({ keys: [], x: 'x'.repeat(70_000) }))],
    ['no JSON', (_, response) => response.end('<html>')],
    ['JSON that two parsers read differently', (_, response) => response.end('{"keys":[],"keys":[]}')],
    ['something that is no set', (_, response) => response.end('{"keys":{}}')],
    [
      'half an answer',
      (_, response) =>
        response.writeHead(200, { 'content-length': '100' }).write('{"keys":[', () => response.destroy()),
    ],
  ])('%s is no answer', async (_, listener) => {
    respond = listener
    await expect(verifierWith().verify(tokenBy(keys[0]!))).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(asked).toBe(1)
  })

  test('silence is a fault after the deadline', async () => {
    respond = () => undefined
    await expect(verifierWith({ runtime: hasty() }).verify(tokenBy(keys[0]!))).rejects.toMatchObject({
      code: 'ERR_STORE_TIMEOUT',
    })
  })

  test('sends no cookie and no credentials', async () => {
    let seen: NodeJS.Dict<string | string[]> = {}
    respond = (request, response) => {
      seen = request.headers
      response.setHeader('set-cookie', 'a=b')
      publish(request, response)
    }
    const verifier = verifierWith()
    await verifier.verify(tokenBy(keys[0]!))
    clock.advanceMs(10 * MINUTE)
    await verifier.verify(tokenBy(keys[0]!))
    expect(Object.keys(seen).sort()).toEqual(['accept', 'connection', 'host'])
  })
})

describe('the address of the keys', () => {
  test.each([
    ['http://issuer.test/jwks', 'https'],
    ['ftp://127.0.0.1/jwks', 'https'],
    ['file:///etc/passwd', 'https'],
    ['https://user:secret@issuer.test/jwks', 'user'],
    ['https://issuer.test/jwks#x', 'fragment'],
    ['https://10.0.0.1/jwks', 'private'],
    ['https://169.254.169.254/jwks', 'nowhere'],
    ['https://[::ffff:169.254.169.254]/jwks', 'nowhere'],
    ['https://0x0a000001/jwks', 'private'],
    ['https://[fd00::1]/jwks', 'private'],
  ])('%s is refused', (address, why) => {
    expect(() => verifierWith({ keys: new URL(address) })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(why) }),
    )
  })

  test('a private one is allowed by its option, and the one of cloud metadata by nothing', () => {
    verifierWith({ keys: new URL('https://10.0.0.1/jwks'), privateNetwork: true })
    expect(() => verifierWith({ keys: new URL('https://169.254.169.254/'), privateNetwork: true })).toThrow(/nowhere/)
  })

  test('a name is judged by what it leads to', async () => {
    // This machine's own name leads to loopback or to a private address, as a rebound public name would.
    const port = url.port
    const verifier = verifierWith({ keys: new URL(`https://${hostname()}:${port}/jwks`) })
    await expect(verifier.verify(tokenBy(keys[0]!))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringContaining('leads to an address of the kind'),
    })
    expect(asked).toBe(0)
  })
})
