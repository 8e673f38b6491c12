// One process of the microblog: Express, the sessions, and Redis behind both.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { countersign, passwordLogin } from 'countersign/express'
import { problemOfFault } from 'countersign/http'
import { liveConnections } from 'countersign/live'
import { eventStreams } from 'countersign/sse'
import express, { type ErrorRequestHandler, type Express, Router } from 'express'
import type { Blog } from './blog.ts'
import { openFeed } from './feed.ts'
import { connect, createRepository } from './repository.ts'
import { accountRoutes } from './routes/account.ts'
import { deviceRoutes } from './routes/devices.ts'
import { pageRoutes } from './routes/page.ts'
import { peopleRoutes } from './routes/people.ts'
import { postRoutes } from './routes/posts.ts'
import { openSessions, type SessionSettings } from './sessions.ts'

export interface StartOptions extends SessionSettings {
  /** Folder of the built page. */
  readonly page: string
  /** 0: any free one. */
  readonly port: number
}

/** Cookies know no ports: with names of its own it does not disturb another application on this host. */
const COOKIES = { access: '__Host-microblog-access', refresh: '__Host-microblog-refresh' }

export async function startMicroblog(options: StartOptions) {
  const { sessions, accounts } = await openSessions(options)
  const redis = connect(options.redisUrl)
  // What fails because of it is answered with 500; the client connects again by itself.
  redis.on('error', () => {})
  await redis.connect()
  const repository = createRepository(redis)
  const feed = await openFeed(redis)

  let origins: readonly string[] = []
  const auth = countersign({
    sessions,
    origins: () => origins,
    cookies: COOKIES,
    // Nothing of ours is kept by the browser, and the cookies of this host may be somebody else's.
    clearSiteData: '',
    ...passwordLogin(accounts),
  })
  const { strategy, access, lifetime, devices } = options
  const blog: Blog = { sessions, accounts, repository, feed, auth, settings: { strategy, access, lifetime, devices } }
  const live = liveConnections({ sessions })

  const app: Express = express()
  app.disable('x-powered-by')
  app.use(auth)
  app.use('/api', express.json({ limit: '4kb' }), api(blog))
  app.get('/api/live', async (request, response) => {
    const stream = await streams.open(request, response)
    if (stream) feed.add(stream)
  })
  app.use(await pageRoutes(options.page, blog.settings))
  app.use(auth.errors, failed)

  const server = createServer(app).listen(options.port, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  origins = [`http://127.0.0.1:${port}`, `http://localhost:${port}`]
  const streams = eventStreams({ live, origins: [...origins], cookies: COOKIES })

  return {
    url: origins[0]!,
    ...blog,
    async close(): Promise<void> {
      await live.close()
      await closed(server)
      feed.close()
      redis.destroy()
      await sessions.close()
    },
  }
}

export type Microblog = Awaited<ReturnType<typeof startMicroblog>>

function api(blog: Blog): Router {
  const router = Router()
  router.use(accountRoutes(blog), postRoutes(blog), peopleRoutes(blog), deviceRoutes(blog))
  return router
}

/** Every other error: nothing of it is in the answer. */
const failed: ErrorRequestHandler = (error, _request, response, next) => {
  if (response.headersSent) return next(error)
  const status = error?.status >= 400 && error?.status < 500 ? error.status : undefined
  if (status) return void response.sendStatus(status)
  const { status: code, headers, body } = problemOfFault(error)
  response.status(code).set(headers).send(JSON.stringify(body))
}

async function closed(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  if (server.listening) await once(server, 'close')
}
