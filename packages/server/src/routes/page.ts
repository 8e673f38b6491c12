import { readFile } from 'node:fs/promises'
import { mayBeCached, PAGE_POLICY } from '../http/headers.ts'
import type { App } from '../http/schemas.ts'

/** Files of `packages/server/page/`, with the paths they are served under. */
const FILES = [
  { url: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { url: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { url: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
] as const

/** `GET /`: one page of this origin that logs in, shows who is logged in, and logs out. Holds nothing of anybody. */
export async function page(app: App): Promise<void> {
  for (const { url, file, type } of FILES) {
    const content = await readFile(new URL(`../../page/${file}`, import.meta.url))
    app.get(url, { schema: { hide: true } }, async (_request, reply) => {
      mayBeCached(reply, 60)
      return reply.header('content-security-policy', PAGE_POLICY).type(type).send(content)
    })
  }
}
