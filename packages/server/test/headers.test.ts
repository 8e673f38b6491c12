// What every answer carries, whatever it answers.
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, startApp, type TestApp } from './support.ts'

let app: TestApp
beforeAll(async () => {
  app = await startApp()
})
afterAll(() => app.close())

const ANSWERS: [method: string, path: string, body?: unknown][] = [
  ['GET', '/'],
  ['GET', '/page.js'],
  ['GET', '/page.css'],
  ['GET', '/auth/login'],
  ['GET', '/auth/page.js'],
  ['GET', '/verify'],
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/.well-known/jwks.json'],
  ['GET', '/auth/session'],
  ['POST', '/auth/login', { identifier: 'nobody@example.com', password: 'a wrong but long password' }],
  ['POST', '/auth/login', '{'],
  ['POST', '/auth/login', 'x'.repeat(20_000)],
  ['POST', '/auth/refresh'],
  ['GET', '/nowhere'],
  ['PUT', '/auth/login'],
  ['GET', '/%'],
]

describe.each(ANSWERS)('%s %s', (method, path, body) => {
  let answer: Answer
  beforeAll(async () => {
    answer = await app.client().send(method, path, body)
  })

  test('security headers', () => {
    const { headers } = answer
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    const policy = headers.get('content-security-policy')
    for (const part of ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"])
      expect(policy).toContain(part)
    expect(policy).not.toMatch(/unsafe|\*|http:/)
  })

  test('a content type with charset, except for the registered JSON kinds', () => {
    expect(answer.headers.get('content-type')).toMatch(/charset=utf-8$|^application\/jwk-set\+json/)
  })

  test('nothing that names the software, nothing for other origins', () => {
    for (const name of ['server', 'x-powered-by', 'via', 'access-control-allow-origin'])
      expect(answer.headers.get(name)).toBeNull()
    expect(answer.text).not.toMatch(/fastify|node_modules|\bat .*:\d+:\d+/i)
  })

  test('plain HTTP: no HSTS', () => {
    expect(answer.headers.get('strict-transport-security')).toBeNull()
  })

  test('only what is nobody’s may be kept by caches', () => {
    const isPublic = answer.status === 200 && !/auth|healthz|readyz/.test(path)
    expect(answer.headers.get('cache-control')).toMatch(isPublic ? /^public, max-age=\d+$/ : /^no-store$/)
  })
})

test('behind HTTPS every answer has HSTS for a year, errors and what never was a request included', async () => {
  const secure = await startApp({ settings: { overHttps: true } })
  for (const [method, path, body] of ANSWERS) {
    const answer = await secure.client().send(method, path, body)
    expect(answer.headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains')
  }
  const overflow = await secure.client().get('/', { x: 'a'.repeat(20_000) })
  expect(overflow.headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains')
  await secure.close()
})

test.each([
  ['PUT', '/auth/login', 'POST'],
  ['GET', '/auth/logout', 'POST'],
  ['POST', '/auth/session', 'GET, HEAD'],
  ['PATCH', '/auth/sessions', 'GET, HEAD'],
  ['GET', '/auth/sessions/abc', 'DELETE'],
  ['GET', '/auth/sessions/revoke-all', 'DELETE, POST'],
  ['DELETE', '/', 'GET, HEAD'],
  ['OPTIONS', '/auth/login', 'GET, HEAD, POST'],
  ['POST', '/.well-known/jwks.json', 'GET, HEAD'],
])('%s %s: 405 with Allow: %s', async (method, path, allow) => {
  const answer = await app.client().send(method, path)
  expect([answer.status, answer.body.code]).toEqual([405, 'method_not_allowed'])
  const methods = answer.headers.get('allow')!.split(', ')
  for (const one of allow.split(', ')) expect(methods).toContain(one)
  expect(methods).not.toContain(method)
})

test.each(['TRACE', 'PROPFIND', 'SEARCH', 'MKCOL'])('%s is refused everywhere, and never echoed', async (method) => {
  for (const path of ['/', '/auth/session', '/nowhere']) {
    // fetch refuses to send TRACE, so this is the plain client.
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const outgoing = request(
        app.url + path,
        { method, headers: { cookie: 'canary=1', origin: app.url } },
        (response) => {
          let text = ''
          response.on('data', (chunk) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode!, text }))
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })
    expect(status).toBe(path === '/nowhere' ? 404 : 405)
    expect(text).not.toContain('canary')
  }
})

describe('the page', () => {
  test('its own script and style and nothing inline', async () => {
    const page = await app.client().get('/')
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(page.text).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|style=/)
    expect(page.text).toContain('<script type="module" src="page.js">')
  })

  test('its script keeps no token where others find it', async () => {
    let { text } = await app.client().get('/page.js')
    // What comes by a link stands in the fragment, and is taken out of it before anything else. A query holds no token.
    const read = ['exec(location.hash)', 'new URLSearchParams(location.search)']
    for (const known of [...read, "history.replaceState(null, '', location.pathname)"]) {
      expect(text).toContain(known)
      text = text.replace(known, '')
    }
    expect(text).not.toMatch(
      /localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|location\.(hash|search)|history\./,
    )
  })
})
