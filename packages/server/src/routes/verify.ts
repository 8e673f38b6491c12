import { carriesCookies, findCredentials, originEvidence, problem, problemOf, refuseRequest } from 'countersign/http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { contextOf } from '../http/facts.ts'
import { identityHeaders } from '../http/identity-headers.ts'
import type { Kit, ServerSession } from '../http/kit.ts'
import { judgedFacts, type OriginalRequest, originalOf } from '../http/original.ts'
import { ownProblem, sendWithoutCookies } from '../http/problems.ts'
import { peerOf } from '../http/proxies.ts'
import { type App, closed, ProblemSchema } from '../http/schemas.ts'

const Role = Type.String({ pattern: '^[\\x21\\x23-\\x2b\\x2d-\\x5b\\x5d-\\x7e]{1,64}$' })
const Demands = Type.Object(
  {
    upstream: Type.Optional(
      Type.String({ maxLength: 64, description: 'one of the configuration: gives an assertion' }),
    ),
    role: Type.Optional(
      Type.Union([Role, Type.Array(Role, { maxItems: 64 })], { description: 'repeated: any of them is enough' }),
    ),
    navigation: Type.Optional(
      Type.Literal('redirect', { description: '303 instead of 401 where a page is asked for' }),
    ),
  },
  closed,
)
interface Demanded {
  readonly upstream?: string
  readonly role?: string | string[]
  readonly navigation?: 'redirect'
}

/**
 * `GET /verify`: whether a proxy may pass a request on, and who it is from. At most one store read, none from the near
 * cache; a request that passes counts as use of its session. Never a cookie.
 */
export function verify(app: App, kit: Kit): void {
  // Envoy asks with the method of the request it asks about, and may name a body that it does not send.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', async () => undefined)
  const schema = {
    summary: 'Whether a proxy may pass a request on',
    querystring: Demands,
    response: { 200: Type.Null(), 303: Type.Null(), '4xx': ProblemSchema, '5xx': ProblemSchema },
  }
  const handler = async (request: FastifyRequest, reply: FastifyReply) => answer(kit, request, reply)
  app.get('/verify', { schema }, handler)
  const others = ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const
  app.route({ method: [...others], url: '/verify', schema: { ...schema, hide: true }, handler })
}

async function answer(kit: Kit, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (!kit.isProxy(peerOf(request))) {
    request.log.warn({ event: 'proxy_not_listed', ip: peerOf(request) })
    return sendWithoutCookies(reply, ownProblem('proxy_not_listed'))
  }
  const demanded = request.query as Demanded
  const original = originalOf(request)
  if (!original) return proxyIsWrong(reply, 'the method of the original request is missing, or said in two ways')
  const upstream = kit.settings.upstreams?.find(({ name }) => name === demanded.upstream)
  if (demanded.upstream !== undefined && !upstream) return proxyIsWrong(reply, 'query.upstream is not configured')

  const roles = demanded.role === undefined ? undefined : [demanded.role].flat()
  const checked = await check(kit, request, original, roles)
  if (checked.ok) {
    const assertion = upstream && kit.assertions?.issue(checked.session, upstream.audience)
    return reply.headers(identityHeaders(checked.session, assertion)).code(200).send()
  }
  const refused = problemOf(checked, roles ? { scope: roles } : {})
  // nginx knows no other refusal, and would show an outage.
  const status = refused.status === 403 ? 403 : 401
  const body = { ...refused.body, status }
  // So that a proxy which cannot hand on our body can write the same.
  const told = { 'x-auth-problem': asciiJson(body) }
  const headers = { ...refused.headers, ...told, ...(status === 401 && { location: loginFor(kit, original) }) }
  if (status === 401 && demanded.navigation === 'redirect' && original.navigates) {
    return reply
      .headers({ location: loginFor(kit, original) })
      .code(303)
      .send()
  }
  return sendWithoutCookies(reply, { status, headers, body })
}

/** Whoever the original request is from, or why nobody. The rules are those of every route of this server. */
async function check(
  kit: Kit,
  request: FastifyRequest,
  original: OriginalRequest,
  roles: readonly string[] | undefined,
): Promise<{ ok: true; session: ServerSession } | Parameters<typeof problemOf>[0]> {
  const { facts } = original
  const evidence = originEvidence(judgedFacts(original), kit.settings.origins())
  if (evidence === 'foreign') return refuseRequest('origin_foreign')
  if (evidence === 'unknown' && carriesCookies(facts, kit.cookieNames)) return refuseRequest('origin_unproven')
  const credentials = findCredentials(facts, { names: kit.cookieNames })
  if (!credentials.ok) return credentials
  const token = credentials.access?.token ?? ''
  const options = { context: contextOf(request), ...(roles && { roles }) }
  const checked = kit.sessions.verifyNow(token, options) ?? (await kit.sessions.verify(token, options))
  if (checked.ok && evidence === 'unknown' && checked.session.delivery !== 'bearer') {
    return refuseRequest('origin_unproven')
  }
  return checked
}

/**
 * A path, so that it leads to the host that was asked for and to no other one. `again` says that somebody comes from
 * there, so that the page does not send them back at once, for ever.
 */
function loginFor(kit: Kit, { returnPath, refererPath }: OriginalRequest): string {
  const { loginPath = '/auth/login' } = kit.settings
  if (returnPath === undefined) return loginPath
  return `${loginPath}?return_to=${encodeURIComponent(returnPath)}${refererPath === loginPath ? '&again=1' : ''}`
}

/** For a header: what ended a session may be a text of anybody's. */
function asciiJson(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, escaped)
}

function proxyIsWrong(reply: FastifyReply, detail: string): FastifyReply {
  reply.log.warn({ event: 'proxy_misconfigured', detail })
  return sendWithoutCookies(reply, problem(400, 'invalid_request', { detail }))
}
