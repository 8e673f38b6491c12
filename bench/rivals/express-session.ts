// express-session with connect-redis on Express, as the README of connect-redis has it. Tuned: node-redis with our
// settings.
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { DATA, LIFETIME_SECONDS, ROLES, SECRET, subjectOf } from '../sides/content.ts'
import { cookieHeader, redisClient, serve, told } from '../sides/serve.ts'

declare module 'express-session' {
  interface SessionData {
    subject: string
    roles: readonly string[]
    data: object
  }
}

const app = express()
app.use(
  session({
    store: new RedisStore({ client: await redisClient(), prefix: 'express-session:', ttl: LIFETIME_SECONDS }),
    resave: false,
    saveUninitialized: false,
    secret: SECRET,
  }),
)
app.post('/login', (request, response) => {
  Object.assign(request.session, { subject: request.query.subject, roles: ROLES, data: DATA })
  response.json({})
})
app.get('/', (request, response) => {
  const { subject } = request.session
  if (subject === undefined) response.status(401).json({ error: 'no session' })
  else response.json({ subject })
})

const login = app.listen(0, '127.0.0.1')
await new Promise((resolve) => login.once('listening', resolve))
const { port } = login.address() as { port: number }
const headers: string[] = []
for (let at = 0; at < told.sessions; at++) {
  const answer = await fetch(`http://127.0.0.1:${port}/login?subject=${subjectOf(at)}`, { method: 'POST' })
  await answer.arrayBuffer()
  headers.push(cookieHeader(answer.headers.getSetCookie()))
}
login.close()
await serve(app, headers)
