import type { SessionId } from '../session/ids.ts'
import { type Refused, refuse } from '../session/reasons.ts'
import type { Explanation } from '../session/types.ts'
import { readBearer } from './bearer.ts'
import type { CookieNames } from './cookie-options.ts'
import { allCookies } from './cookies.ts'
import { findCredentials } from './credentials.ts'
import type { HttpRefused } from './refusals.ts'
import type { RequestFacts } from './request.ts'

/** `explain` of the sessions. */
type Explains = { explain(token: string): Promise<Explanation> }
type Kinds = ReadonlySet<Explanation['kind']>

const ACCESS: Kinds = new Set<Explanation['kind']>(['access_token', 'opaque_token'])
const REFRESH: Kinds = new Set<Explanation['kind']>(['refresh_token'])

/**
 * The sessions that genuine tokens belong to, also when those have expired or their sessions are over. An id is no token. At most
 * one round trip per token.
 */
export async function sessionsBehind(sessions: Explains, tokens: readonly string[]): Promise<ReadonlySet<SessionId>> {
  const ids = new Set<SessionId>()
  for (const token of tokens) {
    const { kind, sessionId } = await sessions.explain(token)
    if ((ACCESS.has(kind) || REFRESH.has(kind)) && sessionId !== undefined) ids.add(sessionId)
  }
  return ids
}

/** Every token of a request that may be one of ours, also where it is wrong that there are several. */
export function allTokens(request: RequestFacts, names: CookieNames): readonly string[] {
  const bearer = readBearer(request)
  return [...(bearer.ok && bearer.token ? [bearer.token] : []), ...allCookies(request, names)]
}

/**
 * The sessions that a logout ends: those of every credential of the request that is genuine, access token or refresh token. An
 * access token that has just expired does not matter when the refresh token is there.
 *
 * Where the request is wrong, because one credential came twice or two cookies have one name, to log out is still what it
 * asks for, and emptying the browser while a session lives on would be the worst answer: then all that is genuine in it.
 *
 * @param options.refreshToken - The one in the body.
 * @returns The first refusal when nothing in it is genuine.
 */
export async function sessionsToEnd(
  sessions: Explains,
  request: RequestFacts,
  options: { readonly names: CookieNames; readonly refreshToken?: string | undefined },
): Promise<{ readonly ok: true; readonly ids: ReadonlySet<SessionId> } | HttpRefused> {
  const credentials = findCredentials(request, options)
  if (!credentials.ok) {
    const ids = await sessionsBehind(sessions, allTokens(request, options.names))
    return ids.size > 0 ? { ok: true, ids } : credentials
  }
  const ids = new Set<SessionId>()
  let refused: Refused | undefined
  for (const [credential, kinds] of [[credentials.access, ACCESS] as const, [credentials.refresh, REFRESH] as const]) {
    if (!credential) continue
    const { kind, sessionId, refusal } = await sessions.explain(credential.token)
    if (kinds.has(kind) && sessionId !== undefined) ids.add(sessionId)
    // A token of one kind is not one of the other.
    else refused ??= (kinds.has(kind) && refusal) || refuse('malformed')
  }
  return ids.size > 0 ? { ok: true, ids } : (refused ?? refuse('missing'))
}
