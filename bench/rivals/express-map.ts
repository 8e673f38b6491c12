// What a look-up costs as middleware of Express: the session in a `Map` of this process, by the whole token, and an answer that
// no cache may keep. Nothing is checked, and nothing can be revoked from elsewhere.
import express from 'express'
import { DATA, ROLES, subjectOf } from '../sides/content.ts'
import { serve, told } from '../sides/serve.ts'

declare module 'express-serve-static-core' {
  interface Request {
    user?: { readonly subject: string } | undefined
  }
}

const NAME = '__Host-access='
const tokens = Array.from({ length: told.sessions }, (_, at) => String(at).padStart(410, 'x'))
const map = new Map(tokens.map((token, at) => [token, { subject: subjectOf(at), roles: ROLES, data: DATA }]))

const app = express()
app.use((request, response, next) => {
  // Enough here: no other cookie comes.
  request.user = map.get(request.headers.cookie?.slice(NAME.length) ?? '')
  if (request.user === undefined) return void response.status(401).json({ error: 'unknown' })
  response.setHeader('cache-control', 'no-store')
  next()
})
app.get('/', (request, response) => {
  response.json({ subject: request.user!.subject })
})
await serve(
  app,
  tokens.map((token) => `cookie: ${NAME}${token}`),
)
