// A session service as RFC 7662 describes it, with real sessions behind it and real client authentication in front.
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Keyring, Principal, Verifier } from 'countersign'
import { verifyJws } from '../../src/tokens/jws.ts'
import { foreignKeys, readKeySet } from '../../src/tokens/public-key.ts'

export interface IntrospectionServer {
  readonly url: URL
  /** Answered so far, refused clients not counted. */
  readonly answered: () => number
  /** Everything that clients sent, in order. */
  readonly forms: URLSearchParams[]
  /** Answers in this way instead, until it is set back. */
  instead: RequestListener | undefined
  /** What is said of an active token besides the usual. */
  more: object
  stop(): void
}

export async function introspectionServer(
  sessions: Verifier<Principal>,
  issuer: string,
  clients: Readonly<Record<string, Keyring>>,
  nowMs: () => number,
): Promise<IntrospectionServer> {
  let answered = 0
  const used = new Set<string>()
  const forms: URLSearchParams[] = []

  /** `private_key_jwt` by RFC 7523 and its successor: sole audience, explicit type, 60 s, one use. */
  const isClient = (form: URLSearchParams): boolean => {
    const find = foreignKeys(
      readKeySet(clients[form.get('client_id') ?? '']?.jwks() ?? { keys: [] }, 'client', ['ES256', 'Ed25519']),
    )
    const rule = { typ: 'client-authentication+jwt', kid: 'optional' } as const
    const jws = verifyJws(form.get('client_assertion') ?? '', rule, find)
    if (!jws.ok) return false
    const { iss, sub, aud, exp, jti } = jws.claims as Record<string, string & number>
    const nowS = nowMs() / 1_000
    if (iss !== form.get('client_id') || sub !== iss || aud !== issuer || used.has(jti!)) return false
    used.add(jti!)
    const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
    return exp! > nowS && exp! <= nowS + 60 && form.get('client_assertion_type') === type
  }

  const server = createServer(async (request, response) => {
    const form = new URLSearchParams(await bodyOf(request))
    forms.push(form)
    if (state.instead) return state.instead(request, response)
    if (request.method !== 'POST' || !isClient(form)) return response.writeHead(401).end()
    answered++
    const checked = await sessions.verify(form.get('token') ?? '')
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify(checked.ok ? { ...describe(checked.session, issuer), ...state.more } : { active: false }),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const state: IntrospectionServer = {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/oauth/introspect`),
    answered: () => answered,
    forms,
    instead: undefined,
    more: {},
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
  return state
}

function describe(session: Principal, issuer: string): object {
  return {
    active: true,
    token_type: 'Bearer',
    iss: issuer,
    sub: session.subject,
    aud: session.audience,
    client_id: session.clientId,
    exp: Math.floor(session.expiresAtMs / 1_000),
    sid: session.sessionId,
    tenant: session.tenant,
    auth_time: Math.floor(session.authTimeMs / 1_000),
    acr: session.acr,
    amr: session.amr,
    roles: session.roles,
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
