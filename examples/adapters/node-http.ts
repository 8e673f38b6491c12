// node:http without a framework: npx tsx examples/adapters/node-http.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { createServer } from 'node:http'
import { countersign, passwordLogin } from 'countersign/node-http'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })

const server = createServer(async (request, response) => {
  try {
    if (await auth.handle(request, response)) return
    const { pathname, searchParams } = new URL(request.url ?? '/', origins[0])
    if (pathname === '/login') {
      response.setHeader('content-type', 'text/html').end(loginPage(searchParams))
      return
    }
    if (pathname === '/api/admin') {
      const admin = await auth.enter(request, response, { roles: ['admin'] })
      // Otherwise it has been answered.
      if (admin) response.setHeader('content-type', 'application/json').end(JSON.stringify({ admin: admin.subject }))
      return
    }
    const session = await auth.enter(request, response)
    if (session) response.setHeader('content-type', 'text/html').end(homePage(session.subject))
  } catch (error) {
    auth.fail(error, response)
  }
})

server.listen(port, listening)
