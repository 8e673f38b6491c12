// The handler that checks nothing: what the requests of all others are compared with.
import { ok, serve } from './serve.ts'

await serve({ 'GET /': () => ok({ subject: 'user:000001', roles: ['user'] }) })
