// Every kind of token there is, and where each is at home. A new kind is a new row here, and it is presented to every
// place. Kinds that are not built are signed here with our own keys, or taken from test/vectors/rfc.
import { readFileSync } from 'node:fs'
import { systemRuntime } from 'countersign'
import type { OneTimePurpose } from 'countersign/one-time'
import { toBase64url } from '../../src/internal/bytes.ts'
import { signJws } from '../../src/tokens/jws.ts'
import { seal } from '../../src/tokens/sealing.ts'
import { AUDIENCE, type Deployment, issuerOf, SUBJECT } from './deployment.ts'
import type { PlaceName } from './places.ts'

export interface Kind {
  readonly home: readonly PlaceName[]
  /** A fresh one, so that a place that uses a token up does not spoil the next. */
  make(deployment: Deployment): string | Promise<string>
}

const nowS = () => Math.floor(Date.now() / 1_000)
/** What every JWT that is addressed to us says, whatever kind it is. */
const common = () => ({
  iss: issuerOf('allowlist'),
  aud: AUDIENCE,
  sub: SUBJECT,
  client_id: 'web',
  iat: nowS(),
  exp: nowS() + 60,
  jti: toBase64url(systemRuntime.random(12)),
})
/** Signed with our own key, with the type of the kind. */
const signed =
  (typ: string, claims: object = {}) =>
  ({ keys }: Deployment) =>
    signJws({ ...common(), ...claims }, typ, keys.signWith('ES256')!)

const issue = async (deployment: Deployment, strategy: keyof Deployment['sessions']) => {
  const issued = await deployment.sessions[strategy].issue({ subject: SUBJECT })
  if (!issued.ok) throw new Error(issued.reason)
  return issued as typeof issued & { readonly refreshToken: string }
}
const access = (strategy: keyof Deployment['sessions']) => async (deployment: Deployment) =>
  (await issue(deployment, strategy)).accessToken
const refresh = (strategy: 'stateless' | 'denylist' | 'allowlist' | 'sealed') => async (deployment: Deployment) =>
  (await issue(deployment, strategy)).refreshToken

const oneTime =
  (purpose: OneTimePurpose) =>
  async ({ oneTime }: Deployment) =>
    oneTime.tokenFor((await oneTime.issue({ purpose, subject: SUBJECT, boundTo: 'state' })).id)

const rfc = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/rfc/${name}.json`, import.meta.url), 'utf8')) as Record<string, any>
const samples = rfc('set_and_logout_examples').vectors as { id: string; typ?: string; claims?: object; set?: string }[]
const sample = (id: string) => samples.find((one) => one.id === id)!
const claimsOf = (id: string) => {
  const { iss, aud, sub, iat, exp, ...rest } = sample(id).claims as Record<string, unknown>
  return rest
}

export const KINDS: Readonly<Record<string, Kind>> = {
  'access token, stateless': { make: access('stateless'), home: ['stateless verify', 'stateless verifyNow'] },
  'access token, denylist': { make: access('denylist'), home: ['denylist verify'] },
  'access token, allowlist': {
    make: access('allowlist'),
    home: [
      'allowlist verify',
      'verifier with a keyring',
      'verifier with a JWK Set',
      'verifier with the records',
      'verifier that asks',
    ],
  },
  'access token, sealed': { make: access('sealed'), home: ['sealed verify', 'verifier of sealed tokens'] },
  'opaque token': { make: access('opaque'), home: ['opaque verify'] },
  'refresh token, stateless': { make: refresh('stateless'), home: ['stateless refresh'] },
  'refresh token, denylist': { make: refresh('denylist'), home: ['denylist refresh'] },
  'refresh token, allowlist': { make: refresh('allowlist'), home: ['allowlist refresh'] },
  'refresh token, sealed': { make: refresh('sealed'), home: ['sealed refresh'] },
  'session id': {
    make: async (deployment) => (await issue(deployment, 'allowlist')).session.sessionId,
    home: ['get by id'],
  },

  'one-time token, password reset': { make: oneTime('password_reset'), home: ['one-time, password reset'] },
  'one-time token, e-mail': { make: oneTime('email_verification'), home: ['one-time, e-mail'] },
  'one-time token, invitation': { make: oneTime('invite'), home: ['one-time, invitation'] },
  'one-time token, socket': { make: oneTime('socket_ticket'), home: ['one-time, socket'] },
  'id of a one-time token': {
    make: async ({ oneTime }) => (await oneTime.issue({ purpose: 'invite', subject: SUBJECT, boundTo: 'state' })).id,
    home: [],
  },
  'service token': {
    make: ({ serviceTokens }) => serviceTokens.issue({ clientId: SUBJECT, audience: AUDIENCE }).token,
    // A service that has only the public keys takes it for what it is: a principal without a session.
    home: ['service token read', 'service token read once', 'verifier with a keyring', 'verifier with a JWK Set'],
  },
  'session assertion': {
    make: async (deployment) => deployment.assertions.issue((await issue(deployment, 'allowlist')).session, AUDIENCE),
    // For upstreams, which have the public keys. Nothing of ours takes it, so an upstream cannot come back with it.
    home: ['verifier with a keyring', 'verifier with a JWK Set'],
  },
  'service token for another audience': {
    make: ({ serviceTokens }) => serviceTokens.issue({ clientId: SUBJECT, audience: 'https://other.test' }).token,
    home: ['service token read', 'service token read once'],
  },
  'service token of another issuer': { make: signed('at+jwt', { iss: 'https://other.test' }), home: [] },
  'access token bound to a key (DPoP)': { make: signed('at+jwt', { cnf: { jkt: 'x' } }), home: [] },
  'ID token': { make: signed('JWT', { nonce: 'n', auth_time: nowS() }), home: [] },
  'ID token without a type': {
    make: ({ keys }) => signJws(common(), undefined as never, keys.signWith('ES256')!),
    home: [],
  },
  'client assertion': {
    make: signed('client-authentication+jwt', { iss: SUBJECT, aud: issuerOf('allowlist') }),
    home: ['client assertion'],
  },
  'client assertion for another server': {
    make: signed('client-authentication+jwt', { iss: SUBJECT, aud: 'https://other.test' }),
    home: [],
  },
  'logout token': { make: signed('logout+jwt', claimsOf('oidc-logout-token-claims')), home: [] },
  'logout token that claims to be an access token': {
    make: signed('at+jwt', claimsOf('oidc-logout-token-claims')),
    home: [],
  },
  'security event': { make: signed('secevent+jwt', claimsOf('caep-session-revoked-simple')), home: [] },
  'security event that claims to be an access token': {
    make: signed('at+jwt', claimsOf('caep-session-revoked-simple')),
    home: [],
  },
  'security event of RFC 8935': { make: () => sample('rfc8935-push-body').set!, home: [] },
  'DPoP proof': { make: signed('dpop+jwt', { htm: 'POST', htu: AUDIENCE }), home: [] },
  'DPoP proof of RFC 9449': { make: () => rfc('rfc9449_dpop').proofs[0].proof as string, home: [] },
  'DBSC proof': { make: signed('dbsc+jwt', { authorization: 'ac' }), home: [] },
  'DBSC proof of the draft': { make: () => rfc('dbsc_examples').secure_session_response as string, home: [] },
  'JWT of RFC 7515': { make: () => rfc('rfc7515_appendix_a').vectors[2].compact as string, home: [] },
  'JWT without a signature': { make: () => rfc('rfc7515_appendix_a').vectors[4].compact as string, home: [] },
  'sealed refresh token': {
    make: async (deployment) =>
      seal((await issue(deployment, 'allowlist')).refreshToken, deployment.keys.sealWith()!, systemRuntime.random),
    home: [],
  },
}
