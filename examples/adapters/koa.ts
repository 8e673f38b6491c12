// Koa: npx tsx examples/adapters/koa.ts
// A page that only people who are logged in see, a form to log in and one to log out, and an API for admins.
import { countersign, type KoaState, passwordLogin } from 'countersign/koa'
import Koa from 'koa'
import { accounts, homePage, listening, loginPage, origins, port, sessions } from './setup.ts'

const auth = countersign({ sessions, origins, loginPage: '/login', ...passwordLogin(accounts) })
const app = new Koa<KoaState<typeof sessions>>()

app.use(auth.errors)
app.use(auth)
app.use(async (ctx, next) => {
  if (ctx.path !== '/login') return next()
  ctx.type = 'html'
  ctx.body = loginPage(new URL(ctx.originalUrl, origins[0]).searchParams)
})
// From here on: only who is logged in. With a router, a guard stands before the handler of its route.
app.use(auth.guard())
const admins = auth.guard({ roles: ['admin'] })
app.use(async (ctx, next) => {
  if (ctx.path !== '/api/admin') return next()
  return admins(ctx, async () => {
    ctx.body = { admin: ctx.state.auth.session?.subject }
  })
})
app.use(async (ctx) => {
  if (ctx.path !== '/') return
  ctx.type = 'html'
  ctx.body = homePage(ctx.state.auth.session?.subject ?? '')
})

app.listen(port, listening)
