// Tokens that nobody should accept.
import { good, hole, none } from '../cell.ts'
import { API, ISSUER, OTHER, type Tokens } from '../sides/told.ts'
import { type Ask, type Asked, nobody } from './asked.ts'
import type { Reply } from './client.ts'
import { apart, confused, isJwt, type Json, signed, unsigned } from './forge.ts'

/** The parts of a real token; of an opaque one those that a JWT of this house would have. */
async function parts({
  issuer,
}: Asked): Promise<{ readonly tokens: Tokens; readonly header: Json; readonly claims: Json }> {
  const tokens = await issuer.login(nobody())
  if (isJwt(tokens.accessToken)) return { tokens, ...apart(tokens.accessToken) }
  const now = Math.floor(Date.now() / 1_000)
  const times = { iat: now, exp: now + 4, auth_time: now }
  const claims = { iss: ISSUER, aud: API, sub: 'user', client_id: 'web', jti: 'one', sid: tokens.sid, gen: 0, ...times }
  return { tokens, header: { alg: 'ES256', typ: 'at+jwt' }, claims }
}

/** All of these have to be refused, by everybody. */
async function present({ checkers }: Asked, tokens: readonly string[], path = '/') {
  const replies = await Promise.all(
    tokens.flatMap((token) => checkers.map((checker): Promise<Reply> => checker.get(path, token))),
  )
  const accepted = replies.filter(({ status }) => status === 200).length
  const others = replies.filter(({ status }) => status !== 200 && status !== 401 && status !== 403)
  const said = [...new Set(replies.map(({ status, body }) => `${status} ${body.reason ?? ''}`.trim()))].join(', ')
  return { accepted, others, seen: `${tokens.length} made: ${said}` }
}

async function refuses(asked: Asked, tokens: readonly string[], path = '/') {
  const { accepted, others, seen } = await present(asked, tokens, path)
  if (accepted > 0) return hole('accepted', seen)
  return others.length > 0 ? hole('breaks the server', seen) : good('refused', seen)
}

const algNone: Ask = async (asked) => {
  const { header, claims } = await parts(asked)
  const admin = { ...claims, roles: ['admin'] }
  return refuses(
    asked,
    ['none', 'None', 'nOnE'].map((alg) => unsigned({ ...header, alg }, admin)),
  )
}

const confusion: Ask = async (asked) => {
  if (asked.row.secret) return none('no public key')
  const { header, claims } = await parts(asked)
  return refuses(asked, confused(asked, header, { ...claims, roles: ['admin'] }))
}

const audience: Ask = async (asked) => {
  const { row, issuer } = asked
  // Where the issuer can be asked for one it is; where it knows no audiences, another service has the same secret.
  if (!row.secret) return refuses(asked, [(await issuer.login(nobody(), { audience: OTHER })).accessToken])
  const { header, claims } = await parts(asked)
  return refuses(asked, [signed(asked, header, { ...claims, aud: OTHER })])
}

const ALL = ['exp', 'iat', 'iss', 'aud', 'sub', 'jti', 'client_id', 'sid', 'gen', 'stamp']

const claims: Ask = async (asked) => {
  const { tokens, header, claims: whole } = await parts(asked)
  if (!isJwt(tokens.accessToken)) return none('no claims')
  // What RFC 9068 does not demand a verifier with nothing but keys need not miss.
  const own = asked.row.verifiesOnly ? ALL.slice(0, 7) : ALL
  const accepted: string[] = []
  const tried = own.filter((name) => name in whole)
  for (const name of tried) {
    const { [name]: _, ...rest } = whole
    if ((await present(asked, [signed(asked, header, rest)])).accepted > 0) accepted.push(name)
  }
  const seen = `left out, one at a time: ${tried.join(', ')}; accepted without: ${accepted.join(', ') || 'none'}`
  return accepted.length > 0 ? hole(`accepted without ${accepted.join(', ')}`, seen) : good('all missed', seen)
}

const oversize: Ask = async (asked) => {
  const { tokens, header, claims: whole } = await parts(asked)
  const long = (token: string) => 'A'.repeat(12_000 - token.length)
  if (!isJwt(tokens.accessToken)) return refuses(asked, [tokens.accessToken + long(tokens.accessToken)])
  return refuses(asked, [signed(asked, header, { ...whole, note: 'A'.repeat(8_700) })])
}

export const forgery: Readonly<Record<string, Ask>> = { 'alg-none': algNone, confusion, audience, claims, oversize }
