// Express and nothing else: what is left when nobody is asked who they are. Gets cookies as long as a token, and answers
// everybody with the same.
import express from 'express'
import { subjectOf } from '../sides/content.ts'
import { serve, told } from '../sides/serve.ts'

const app = express()
app.get('/', (_request, response) => {
  response.json({ subject: subjectOf(0) })
})
await serve(
  app,
  Array.from({ length: told.sessions }, (_, at) => `cookie: __Host-access=${String(at).padStart(410, 'x')}`),
)
