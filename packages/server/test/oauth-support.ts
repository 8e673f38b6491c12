// A program with a key of its own, as the configuration names it.
import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import type { ClientSetting } from '../src/config/clients.ts'

export const ISSUER = 'https://auth.test'
export const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export interface TestClient {
  readonly setting: ClientSetting
  /** Signs an assertion; what is given replaces the usual header members and claims, `undefined` takes one out. */
  assertion(claims?: object, header?: object): string
}

export function testClient(
  id: string,
  more: Partial<ClientSetting> = {},
  alg: 'ES256' | 'Ed25519' = 'ES256',
): TestClient {
  const { publicKey, privateKey } =
    alg === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const kid = `${id}-key`
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' }
  return {
    setting: { id, name: id, publicKeys: [jwk], audiences: [], scopes: [], introspect: [], ...more },
    assertion(claims = {}, header = {}) {
      const now = Math.floor(Date.now() / 1_000)
      const usual = { iss: id, sub: id, aud: ISSUER, iat: now, exp: now + 60, jti: randomBytes(12).toString('hex') }
      return signed({ alg, kid, typ: 'client-authentication+jwt', ...header }, { ...usual, ...claims }, privateKey)
    },
  }
}

export function signed(header: object, claims: object, key: KeyObject): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${part(header)}.${part(claims)}`
  const options = key.asymmetricKeyType === 'ec' ? ({ key, dsaEncoding: 'ieee-p1363' } as const) : key
  const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null
  return `${input}.${sign(digest, Buffer.from(input), options).toString('base64url')}`
}

/** Sends a form as a program does: without cookies, and without saying where it comes from. */
export async function post(url: string, form: Record<string, string> | string, headers: Record<string, string> = {}) {
  const body = typeof form === 'string' ? form : new URLSearchParams(form).toString()
  const type = { 'content-type': 'application/x-www-form-urlencoded' }
  const response = await fetch(url, { method: 'POST', headers: { ...type, ...headers }, body })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: text ? JSON.parse(text) : undefined }
}
