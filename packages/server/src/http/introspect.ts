import type { Context } from 'countersign'
import type { ClientSetting } from '../config/clients.ts'
import type { Kit } from './kit.ts'

/** RFC 7662 section 2.2. */
export type Introspection = { readonly active: false } | ({ readonly active: true } & Readonly<Record<string, unknown>>)

const INACTIVE = Object.freeze({ active: false })

/**
 * What a client is told of a token: all of it when the token is good and for one of the audiences that the client is,
 * else exactly that it is not active. A session is used by it, as by any request.
 *
 * @param how.singleUse - Only service tokens, and each only the first time.
 */
export async function introspect(
  kit: Kit,
  client: ClientSetting,
  token: string,
  how: { readonly singleUse: boolean; readonly context: Context },
): Promise<Introspection> {
  const isForClient = (audience: readonly string[]) => audience.some((one) => client.introspect.includes(one))
  const service = kit.serviceTokens?.read(token)
  if (service) {
    // Whoever was taken out of the configuration calls nobody any more.
    if (!isForClient([service.aud]) || !kit.clients.find(service.client_id)) return INACTIVE
    if (how.singleUse && !(await kit.serviceTokens!.readOnce(token))) return INACTIVE
    return { active: true, token_type: 'Bearer', ...service }
  }
  if (how.singleUse) return INACTIVE
  const checked = await kit.sessions.verify(token, { context: how.context })
  if (!checked.ok || !isForClient(checked.session.audience)) return INACTIVE
  const { session } = checked
  return {
    active: true,
    token_type: 'Bearer',
    iss: kit.settings.issuer,
    sub: session.subject,
    ...(session.tenant !== undefined && { tenant: session.tenant }),
    aud: session.audience,
    ...(session.clientId !== undefined && { client_id: session.clientId }),
    exp: Math.floor(session.expiresAtMs / 1_000),
    sid: session.sessionId,
    auth_time: Math.floor(session.authTimeMs / 1_000),
    acr: session.acr,
    amr: session.amr,
    roles: session.roles,
    ...namesOf(token),
  }
}

/** `jti` and `iat` of a signed token. Only for one that was verified. A sealed one has an empty second part. */
function namesOf(token: string): { readonly jti?: string; readonly iat?: number } {
  const [, payload] = token.split('.')
  if (!payload) return {}
  const { jti, iat } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string; iat: number }
  return { jti, iat }
}
