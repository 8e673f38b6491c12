// Express 5: npx tsx examples/adapters/express.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { countersign, passwordLogin } from 'countersign/express'
import express from 'express'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

declare module 'countersign/express' {
  // From here on `request.auth.session` has the types of these sessions.
  interface Register {
    sessions: typeof sessions
  }
}

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })
const app = express()

app.use(auth)
app.get('/login', (request, response) => {
  response.send(loginPage(new URL(request.originalUrl, origins[0]).searchParams))
})
app.get('/', auth.guard(), (request, response) => {
  response.send(homePage(request.auth.session?.subject ?? ''))
})
app.get('/api/admin', auth.guard({ roles: ['admin'] }), (request, response) => {
  response.json({ admin: request.auth.session?.subject })
})
app.use(auth.errors)

app.listen(port, listening)
