import { readFile } from 'node:fs/promises'
import { mayBeCached, PAGE_POLICY } from '../http/headers.ts'
import type { App } from '../http/schemas.ts'

/** Files of `packages/server/page/`, with the paths they are served under. Below `/auth/` for proxies that pass on no more. */
const FILES = [
  { urls: ['/', '/auth/login'], file: 'index.html', type: 'text/html; charset=utf-8' },
  { urls: ['/page.js', '/auth/page.js'], file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { urls: ['/page.css', '/auth/page.css'], file: 'page.css', type: 'text/css; charset=utf-8' },
] as const

/**
 * `GET /`: one page of this origin that logs in, shows who is logged in, and logs out. Holds nothing of anybody. With
 * `?return_to=PATH` it goes there once somebody is logged in.
 */
export async function page(app: App): Promise<void> {
  for (const { urls, file, type } of FILES) {
    const content = await readFile(new URL(`../../page/${file}`, import.meta.url))
    for (const url of urls) {
      app.get(url, { schema: { hide: true } }, async (_request, reply) => {
        if (!url.startsWith('/auth/')) mayBeCached(reply, 60)
        return reply.header('content-security-policy', PAGE_POLICY).type(type).send(content)
      })
    }
  }
}
