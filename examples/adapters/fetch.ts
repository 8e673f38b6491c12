// Request and Response, as in Next.js, Bun and Deno: npx tsx examples/adapters/fetch.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { serve } from '@hono/node-server'
import { countersign, passwordLogin } from 'countersign/fetch'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })
const html = (body: string) => new Response(body, { headers: { 'content-type': 'text/html' } })

const home = auth.guard({}, (_request, { session }) => html(homePage(session.subject)))
const admin = auth.guard({ roles: ['admin'] }, (_request, { session }) => Response.json({ admin: session.subject }))

async function fetch(request: Request): Promise<Response> {
  const handled = await auth.handle(request)
  if (handled) return handled
  const { pathname, searchParams } = new URL(request.url)
  if (pathname === '/login') return html(loginPage(searchParams))
  return pathname === '/api/admin' ? admin(request) : home(request)
}

// Only this line is about Node: `Bun.serve({ fetch, port })`, `Deno.serve({ port }, fetch)`.
serve({ fetch, port }, listening)
