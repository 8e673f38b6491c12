// Hono: npx tsx examples/adapters/hono.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { serve } from '@hono/node-server'
import { type AuthEnv, countersign, passwordLogin } from 'countersign/hono'
import { Hono } from 'hono'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })
const app = new Hono<AuthEnv<typeof sessions>>()

app.use(auth)
app.get('/login', (c) => c.html(loginPage(new URL(c.req.url).searchParams)))
app.get('/', auth.guard(), (c) => c.html(homePage(c.var.auth.session?.subject ?? '')))
app.get('/api/admin', auth.guard({ roles: ['admin'] }), (c) => c.json({ admin: c.var.auth.session?.subject }))

serve({ fetch: app.fetch, port }, listening)
