// `jsonwebtoken`, as articles write a login with it: sign at login, verify in a middleware, a second token of seven days
// to renew the first. A logout deletes the token in the browser; the server has nothing to delete.
//
// The other naive rows are this one with their addition: `keep` when somebody logs in, `isKept` with each request,
// `forget` at logout.
import { randomUUID } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { type Answer, ok, type Routes, refused, told } from '../serve.ts'
import type { Tokens } from '../told.ts'
import { userOf } from './users.ts'

export interface Addition {
  keep?(token: string, claims: jwt.JwtPayload): Promise<unknown>
  isKept?(token: string, claims: jwt.JwtPayload): Promise<boolean>
  forget?(token: string, claims: jwt.JwtPayload): Promise<unknown>
}

const SECRET = told.secret

export function routesWith(addition: Addition, calls: Record<string, number> = {}): Routes {
  async function tokensFor(subject: string): Promise<Answer> {
    const { roles, theme } = userOf(subject)
    const claims = { sub: subject, jti: randomUUID(), roles, theme }
    const accessToken = jwt.sign(claims, SECRET, { expiresIn: told.accessSeconds })
    const decoded = jwt.decode(accessToken) as jwt.JwtPayload
    await addition.keep?.(accessToken, decoded)
    const refreshToken = jwt.sign({ sub: subject, type: 'refresh' }, SECRET, { expiresIn: '7d' })
    return ok({ accessToken, refreshToken, accessExpiresAtMs: decoded.exp! * 1_000 } satisfies Tokens)
  }

  /** The middleware. */
  async function authenticate(token: string): Promise<jwt.JwtPayload | undefined> {
    try {
      const claims = jwt.verify(token, SECRET) as jwt.JwtPayload
      if (addition.isKept && !(await addition.isKept(token, claims))) return undefined
      return claims
    } catch {
      return undefined
    }
  }

  return {
    'POST /login': async ({ body: { subject, roles } }) => {
      const user = userOf(subject)
      if (user.banned) return refused('banned')
      if (roles) user.roles = roles
      return tokensFor(subject)
    },
    'POST /refresh': async ({ body }) => {
      try {
        const claims = jwt.verify(body.refreshToken, SECRET) as jwt.JwtPayload
        return await tokensFor(claims.sub!)
      } catch {
        return refused('invalid refresh token')
      }
    },
    'GET /': async ({ bearer }) => {
      const claims = await authenticate(bearer)
      return claims ? ok({ subject: claims.sub, roles: claims.roles }) : refused('invalid token')
    },
    'GET /admin': async ({ bearer }) => {
      const claims = await authenticate(bearer)
      if (!claims) return refused('invalid token')
      return claims.roles.includes('admin') ? ok({ subject: claims.sub }) : refused('forbidden', 403)
    },
    'POST /logout': async ({ bearer }) => {
      const claims = await authenticate(bearer)
      if (!claims) return refused('invalid token')
      await addition.forget?.(bearer, claims)
      return ok()
    },
    'POST /password': async ({ bearer }) => {
      const claims = await authenticate(bearer)
      return claims ? tokensFor(claims.sub!) : refused('invalid token')
    },
    'POST /ban': ({ body }) => {
      userOf(body.subject).banned = true
      return ok()
    },
    'POST /roles': ({ body }) => {
      userOf(body.subject).roles = body.roles
      return ok()
    },
    'GET /theme': async ({ bearer }) => {
      const claims = await authenticate(bearer)
      return claims ? ok({ theme: claims.theme }) : refused('invalid token')
    },
    'POST /theme': async ({ bearer, body }) => {
      const claims = await authenticate(bearer)
      if (!claims) return refused('invalid token')
      userOf(claims.sub!).theme = body.theme
      return ok()
    },
    'POST /reset-request': ({ body }) =>
      ok({ token: jwt.sign({ sub: body.subject, type: 'reset' }, SECRET, { expiresIn: '15m' }) }),
    'POST /reset': ({ body }) => {
      try {
        jwt.verify(body.token, SECRET)
        return ok()
      } catch {
        return refused('invalid token')
      }
    },
    'POST /fill': async ({ body: { count } }) => {
      const tokens: string[] = []
      for (let at = 0; at < count; at++) {
        const answer = await tokensFor(`${told.prefix}:${at}`)
        tokens.push((answer.body as Tokens).accessToken)
      }
      return ok({ tokens })
    },
    'GET /calls': () => ok({ calls }),
  }
}
