import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import express, { Router } from 'express'
import type { Settings } from '../../shared/types.ts'

/** Scripts of our own only, and styles with a nonce: Mantine writes its colours into a style element. */
const policy = (nonce: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ')

/** The built page. It holds nothing private: what it shows, it asks for with a token. */
export async function pageRoutes(folder: string, settings: Settings): Promise<Router> {
  const router = Router()
  const html = await readFile(join(folder, 'index.html'), 'utf8')
  const text = JSON.stringify(settings).replaceAll('&', '&amp;').replaceAll('"', '&quot;')
  const page = html.replace('%SETTINGS%', () => text)

  router.use('/assets', express.static(join(folder, 'assets'), { immutable: true, maxAge: '1y', fallthrough: false }))
  // Every other path is one of the page, which shows it.
  router.get('/{*path}', (_request, response) => {
    const nonce = randomBytes(16).toString('base64url')
    response.set({
      'content-security-policy': policy(nonce),
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
    })
    response.type('html').send(page.replace('%NONCE%', nonce))
  })
  return router
}
