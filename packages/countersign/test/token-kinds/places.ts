// Every place that takes a token. A new place is a new row here, and every kind is presented to it.
import { parseSessionId } from 'countersign'
import { ASSERTION_TYPE } from 'countersign/oauth'
import type { OneTimePurpose } from 'countersign/one-time'
import { type Deployment, SUBJECT } from './deployment.ts'

type Answer = { readonly ok: boolean }
export type Place = (deployment: Deployment, token: string) => Answer | Promise<Answer>

const REFUSED: Answer = { ok: false }

const redeem =
  (purpose: OneTimePurpose): Place =>
  ({ oneTime }, token) =>
    oneTime.redeem(token, { purpose, boundTo: 'state' })

export const PLACES = {
  'opaque verify': ({ sessions }, token) => sessions.opaque.verify(token),
  'stateless verify': ({ sessions }, token) => sessions.stateless.verify(token),
  'stateless verifyNow': ({ sessions }, token) => sessions.stateless.verifyNow(token) ?? REFUSED,
  'denylist verify': ({ sessions }, token) => sessions.denylist.verify(token),
  'allowlist verify': ({ sessions }, token) => sessions.allowlist.verify(token),
  'sealed verify': ({ sessions }, token) => sessions.sealed.verify(token),
  'stateless refresh': ({ sessions }, token) => sessions.stateless.refresh(token),
  'denylist refresh': ({ sessions }, token) => sessions.denylist.refresh(token),
  'allowlist refresh': ({ sessions }, token) => sessions.allowlist.refresh(token),
  'sealed refresh': ({ sessions }, token) => sessions.sealed.refresh(token),
  'get by id': ({ sessions }, token) => {
    const id = parseSessionId(token)
    return id === undefined ? REFUSED : sessions.allowlist.get(id)
  },
  'verifier with a keyring': ({ verifiers }, token) => verifiers.keyring.verify(token),
  'verifier with a JWK Set': ({ verifiers }, token) => verifiers.jwks.verify(token),
  'verifier with the records': ({ verifiers }, token) => verifiers.records.verify(token),
  'verifier of sealed tokens': ({ verifiers }, token) => verifiers.sealed.verify(token),
  'verifier that asks': ({ verifiers }, token) => verifiers.remote.verify(token),
  'one-time, password reset': redeem('password_reset'),
  'one-time, e-mail': redeem('email_verification'),
  'one-time, invitation': redeem('invite'),
  'one-time, socket': redeem('socket_ticket'),
  'service token read': ({ serviceTokens }, token) => ({ ok: serviceTokens.read(token) !== undefined }),
  'service token read once': async ({ serviceTokens }, token) => ({
    ok: (await serviceTokens.readOnce(token)) !== undefined,
  }),
  'client assertion': ({ authentication }, token) =>
    authentication.authenticate({ assertionType: ASSERTION_TYPE, assertion: token, clientId: SUBJECT }),
} as const satisfies Readonly<Record<string, Place>>

export type PlaceName = keyof typeof PLACES
