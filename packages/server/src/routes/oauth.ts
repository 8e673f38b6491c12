import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { ClientSetting } from '../config/clients.ts'
import { contextOf } from '../http/facts.ts'
import { introspect } from '../http/introspect.ts'
import type { Kit } from '../http/kit.ts'
import { answerOAuthError, parseForm, sendOAuthError } from '../http/oauth-errors.ts'
import { type App, NoQuery, ProblemSchema } from '../http/schemas.ts'

const FORM = 'application/x-www-form-urlencoded'
/** RFC 6749 section 3.2: parameters that nobody knows are ignored. */
const open = { additionalProperties: true } as const
const Text = Type.Optional(Type.String())
const credentials = { client_id: Text, client_assertion_type: Text, client_assertion: Text }

/** `POST /oauth/introspect` (RFC 7662) and `POST /oauth/token` (RFC 6749 section 4.4), for clients of the configuration. */
export function oauth(app: App, kit: Kit): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(FORM, { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => parseForm(body))
  app.setErrorHandler(answerOAuthError)
  const OAuthError = Type.Object({ error: Type.String(), error_description: Type.Optional(Type.String()) })
  const common = { consumes: [FORM], querystring: NoQuery }
  const answers = { '4xx': OAuthError, '5xx': ProblemSchema }
  const config = { bearerBy: 'client_assertion' } as const

  const introspectSchema = {
    summary: 'Ask about a token',
    ...common,
    body: Type.Object({ token: Type.String(), token_type_hint: Text, single_use: Text, ...credentials }, open),
    response: { 200: Type.Object({ active: Type.Boolean() }, { additionalProperties: true }), ...answers },
  }
  app.post('/oauth/introspect', { schema: introspectSchema, config }, async (request, reply) => {
    const client = await clientOf(kit, request, reply)
    if (!client) return reply
    if (client.introspect.length === 0) return sendOAuthError(reply, 'unauthorized_client')
    const { token, single_use: singleUse } = request.body
    if (singleUse !== undefined && singleUse !== 'true') {
      return sendOAuthError(reply, 'invalid_request', 'single_use must be true or left out')
    }
    const how = { singleUse: singleUse === 'true', context: contextOf(request) }
    return reply.send(await introspect(kit, client, token, how))
  })

  const tokenSchema = {
    summary: 'Get a token for calling another service',
    ...common,
    body: Type.Object({ grant_type: Type.String(), resource: Text, scope: Text, ...credentials }, open),
    response: {
      200: Type.Object({
        access_token: Type.String(),
        token_type: Type.Literal('Bearer'),
        expires_in: Type.Integer(),
        scope: Type.Optional(Type.String()),
      }),
      ...answers,
    },
  }
  app.post('/oauth/token', { schema: tokenSchema, config }, async (request, reply) => {
    const client = await clientOf(kit, request, reply)
    if (!client) return reply
    const { grant_type: grant, resource, scope } = request.body
    if (grant !== 'client_credentials') return sendOAuthError(reply, 'unsupported_grant_type')
    // RFC 8707: one audience each. Left out, it is clear only when there is one.
    const audience = resource ?? (client.audiences.length === 1 ? client.audiences[0] : undefined)
    if (audience === undefined || !client.audiences.includes(audience)) return sendOAuthError(reply, 'invalid_target')
    const scopes = scope === undefined ? client.scopes : scope.split(' ')
    if (!scopes.every((name) => client.scopes.includes(name)) || new Set(scopes).size < scopes.length) {
      return sendOAuthError(reply, 'invalid_scope')
    }
    const { token, expiresInSeconds } = kit.serviceTokens!.issue({ clientId: client.id, audience, scope: scopes })
    request.log.info({ event: 'service_token_issued', client: client.id, audience, scope: scopes })
    return reply.send({
      access_token: token,
      token_type: 'Bearer' as const,
      expires_in: expiresInSeconds,
      ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    })
  })
}

/** The program that asks, or nobody, and then it has been answered. */
async function clientOf(
  kit: Kit,
  request: FastifyRequest<{ Body: { client_id?: string; client_assertion_type?: string; client_assertion?: string } }>,
  reply: FastifyReply,
): Promise<ClientSetting | undefined> {
  const { client_id: clientId, client_assertion_type: assertionType, client_assertion: assertion } = request.body
  const done = await kit.clients.authenticate({ assertionType, assertion, clientId })
  if (done.ok) return done.client
  request.log.warn({ event: 'client_refused', reason: done.reason, client: done.clientId, ip: request.ip })
  sendOAuthError(reply, 'invalid_client')
  return undefined
}
