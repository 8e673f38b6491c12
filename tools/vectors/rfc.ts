// Values transcribed from RFC 7515, 7638, 8037, 9449 and from the token kinds of other specifications.
import { verify } from '@node-rs/argon2'
import { createVerifier, generateKeyring, loadKeyring } from 'countersign'
import { signJws } from '../../packages/countersign/src/tokens/jws.ts'
import { thumbprint } from '../../packages/countersign/src/tokens/key-material.ts'
import { keysOf, loadKeyring as loadPrivately } from '../../packages/countersign/src/tokens/keyring.ts'
import { type Case, type Loaded, SHIPPED } from './cases.ts'
import { fingerprint } from './fingerprint.ts'
import { type Jwk, verdictOnJws } from './jose-layer.ts'

interface RfcVector extends Readonly<Record<string, unknown>> {
  readonly id?: string
  readonly key?: Jwk | null
  readonly alg?: string
  readonly compact?: string
  readonly typ?: string
  readonly claims?: Readonly<Record<string, unknown>>
  readonly set?: string
  readonly proof?: string
  readonly use?: string
}
export interface RfcFile extends RfcVector {
  readonly source: string
  readonly vectors?: readonly RfcVector[]
  readonly proofs?: readonly RfcVector[]
  readonly jwk?: Jwk
  readonly jkt?: string
  readonly thumbprint_sha256_b64u?: string
  readonly bound_access_token_jwt?: string
  readonly secure_session_response?: string
}

export async function loadRfc(file: RfcFile): Promise<Loaded> {
  const cases: Case[] = []
  for (const vector of file.vectors ?? []) cases.push(...(await casesOf(vector)))
  if (file.compact !== undefined) cases.push(...(await casesOf({ ...file, id: 'compact', alg: 'EdDSA' })))
  for (const { use, proof } of file.proofs ?? []) cases.push(await foreign(`proof, ${use}`, proof!))
  if (file.bound_access_token_jwt) cases.push(await foreign('bound access token', file.bound_access_token_jwt))
  if (file.secure_session_response) cases.push(await foreign('secure session response', file.secure_session_response))
  const jwk = file.jwk ?? file.key
  const expected = file.jkt ?? file.thumbprint_sha256_b64u
  if (jwk && expected !== undefined)
    cases.push(equality('thumbprint', () => thumbprint(jwk as never) === expected, jwk))
  if (file.type === 'argon2id') cases.push(argon2(file))
  return { kind: 'RFC', cases }
}

async function casesOf(vector: RfcVector): Promise<Case[]> {
  const id = vector.id ?? ''
  if (vector.claims !== undefined) return [await ofAnotherKind(id, vector.typ ?? '', vector.claims)]
  const json = vector.json_general ?? vector.json_flattened
  const token = vector.compact ?? vector.set ?? (json === undefined ? undefined : JSON.stringify(json))
  if (token === undefined) return []
  const { key, alg } = vector
  if (!key) return [await foreign(id, token)]
  const valid = vector.compact !== undefined && SHIPPED.has(alg)
  return [
    {
      id,
      about: `JWS with ${alg}`,
      label: String(vector.expect_jws ?? 'valid'),
      expected: valid ? 'accepted' : 'refused',
      fingerprint: fingerprint(key, token),
      run: () => verdictOnJws(token, key, alg),
    },
  ]
}

const ISSUER = 'https://issuer.example'
const AUDIENCE = 'https://api.example'
const file = generateKeyring({ signing: ['ES256'] })

/** A verifier of ours, which has never heard of the token. */
async function foreign(id: string, token: string): Promise<Case> {
  const verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, keys: await loadKeyring(file) })
  const run = () => (verifier.verifyNow(token)?.ok ? 'accepted' : 'refused')
  return {
    id,
    about: 'a token of another kind',
    label: 'foreign',
    expected: 'refused',
    fingerprint: fingerprint(token),
    run,
  }
}

/** Claims of another kind of token, signed with our own key and addressed to us: only type and claims tell. */
async function ofAnotherKind(id: string, typ: string, claims: NonNullable<RfcVector['claims']>): Promise<Case> {
  const key = keysOf(await loadPrivately(file)).signWith('ES256')!
  const times = { iat: Math.floor(Date.now() / 1_000) - 1, exp: Math.floor(Date.now() / 1_000) + 60 }
  return foreign(id, signJws({ ...claims, iss: ISSUER, aud: AUDIENCE, ...times }, typ, key))
}

function equality(id: string, isEqual: () => boolean, input: unknown): Case {
  const run = () => (isEqual() ? 'accepted' : 'refused')
  return { id, about: id, label: 'valid', expected: 'accepted', fingerprint: fingerprint(input), run }
}

/** A hash made with a secret and associated data (RFC 9106 section 5.3) is not one that our hasher makes: it says no. */
function argon2(file: RfcFile): Case {
  const bytes = (name: string) => Buffer.from(String(file[name]), 'hex')
  const base64 = (name: string) => bytes(name).toString('base64').replace(/=+$/, '')
  const cost = `m=${file.memory_kib},t=${file.passes},p=${file.parallelism}`
  const phc = `$argon2id$v=${file.version}$${cost}$${base64('salt_hex')}$${base64('tag_hex')}`
  return {
    id: 'argon2id',
    about: 'a keyed hash, to the hasher of passwords',
    label: 'keyed',
    expected: 'refused',
    fingerprint: fingerprint(phc),
    run: async () => ((await verify(phc, bytes('password_hex'))) ? 'accepted' : 'refused'),
  }
}
