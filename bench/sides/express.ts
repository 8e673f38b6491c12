// Countersign on Express, through its adapter. Near cache on: nothing is asked.
import { createSessions } from 'countersign'
import { countersign } from 'countersign/express'
import { redisStore } from 'countersign/stores/redis'
import express from 'express'
import { serve, told } from './serve.ts'
import { ALLOWLIST, issueAll, keyring, NEAR_CACHE, SESSIONS_OPTIONS } from './sessions.ts'

const sessions = createSessions({
  ...SESSIONS_OPTIONS,
  strategy: ALLOWLIST,
  keyring: await keyring(),
  store: redisStore({ url: told.redis, prefix: `express-${process.pid}` }),
  ...NEAR_CACHE,
})
const tokens = await issueAll(sessions, told.sessions)

const auth = countersign({ sessions, origins: ['https://app.example.com'] })
const app = express()
app.use(auth)
app.get('/', auth.guard(), (request, response) => {
  response.json({ subject: request.auth.session!.subject })
})
app.use(auth.errors)
await serve(
  app,
  tokens.map((token) => `cookie: __Host-access=${token}`),
)
