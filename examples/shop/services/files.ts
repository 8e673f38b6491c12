import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { FastifyInstance } from 'fastify'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Mantine writes styles into the page; scripts come from our origin only, and nobody frames it. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** Serves the built page: read once, no path of a request ever names a file. */
export function serveFiles(app: FastifyInstance, folder: string): void {
  for (const path of readdirSync(folder, { recursive: true }) as string[]) {
    const type = TYPES[extname(path)]
    if (type === undefined) continue
    const body = readFileSync(join(folder, path))
    const isPage = path === 'index.html'
    const cache = isPage ? 'no-cache' : 'public, max-age=31536000, immutable'
    app.get(isPage ? '/' : `/${path.replaceAll('\\', '/')}`, (_request, reply) => {
      reply.headers({ ...HEADERS, 'content-type': type, 'cache-control': cache }).send(body)
    })
  }
}
