import { ok } from 'node:assert/strict'
import { equals, matches } from '../checks.ts'
import { type AppBench, bearer, cookies } from './bench.ts'

/** What frameworks get wrong around a check: methods, connections, things at the same time, checks in a row. */
export function requestCases({ test }: AppBench): void {
  test('HEAD is answered as GET is, without the body', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    for (const [headers, status] of [
      [[cookies(tokens)], 200],
      [[], 401],
      [[bearer('garbage')], 401],
    ] as const) {
      const get = await line.send('GET', '/me', { headers })
      const head = await line.send('HEAD', '/me', { headers })
      matches([get, head], [{ status }, { status, text: '', setCookies: [] }])
      for (const name of ['www-authenticate', 'cache-control', 'content-type'])
        equals(head.header(name), get.header(name))
    }
  })

  test('safe methods change nothing: GET and HEAD of /logout and /refresh', async (app) => {
    const tokens = await app.login()
    const line = app.line()
    app.clock.advance('11s')
    for (const method of ['GET', 'HEAD']) {
      for (const path of ['/logout', '/refresh']) {
        const answer = await line.send(method, path, { headers: [cookies(tokens)] })
        equals([method, path, answer.status >= 400, answer.setCookies], [method, path, true, []])
      }
    }
    equals(await app.stateOf(tokens), 'live')
    equals((await line.send('GET', '/me', { headers: [cookies(tokens)] })).status, 200)
  })

  test('keep-alive: on one connection every request is whoever it says it is, and a refusal does not end it', async (app) => {
    const line = app.line()
    const [alice, bob] = [await app.login(), await app.program()]
    const seen: unknown[] = []
    const connections = new Set<number>()
    for (let turn = 0; turn < 3; turn++) {
      for (const headers of [[cookies(alice)], [], [bearer(bob.access)], [bearer('garbage')]]) {
        const answer = await line.send('GET', '/me', { headers })
        seen.push(answer.body?.subject ?? answer.status)
        connections.add(answer.connection)
      }
      // A refusal of a request with a body: what was not read of it must not become the next request.
      const answer = await line.send('POST', '/change', { json: { refreshToken: 'x'.repeat(20_000) } })
      seen.push(answer.status)
      connections.add(answer.connection)
    }
    const turn = [alice.subject, 401, bob.subject, 401, 401]
    equals(seen, [...turn, ...turn, ...turn])
    equals(connections.size, 1)
  })

  test('at the same time: 60 requests of 6 people, each is who they are', async (app) => {
    const people = await Promise.all(Array.from({ length: 6 }, (_, i) => (i % 2 ? app.login() : app.program())))
    const line = app.line(20)
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const one = people[i % people.length]!
        return line.send('GET', '/me', { headers: [i % 2 ? cookies({ access: one.access }) : bearer(one.access)] })
      }),
    )
    const expected = answers.map((_, i) => people[i % people.length]!.subject)
    equals(
      answers.map((answer) => answer.body?.subject),
      expected,
    )
  })

  test('three guards on one request ask the store once', async (app) => {
    const tokens = await app.login(['user', 'admin'])
    const line = app.line()
    const headers = [cookies(tokens)]
    equals((await line.send('GET', '/me', { headers })).status, 200)
    const calls = await app.callsOf(async () => {
      const answer = await line.send('GET', '/guarded', { headers })
      matches(answer, { status: 200, body: { subject: tokens.subject } })
    })
    equals(calls, ['read'])
    // The next request asks again: what was known of this one is not what holds for that one.
    equals(await app.callsOf(() => line.send('GET', '/guarded', { headers })), ['read'])
    await app.sessions.revokeAll(tokens.subject, { reason: 'banned' })
    matches(await line.send('GET', '/guarded', { headers }), { status: 401, body: { endedBy: 'banned' } })
  })

  test('the guard that refuses decides: without the role, 403', async (app) => {
    const line = app.line()
    for (const roles of [['user'], ['admin'], []]) {
      const tokens = await app.program(roles)
      const answer = await line.send('GET', '/guarded', { headers: [bearer(tokens.access)] })
      matches(answer, { status: 403, body: { code: 'insufficient_scope', reason: 'forbidden', remedy: 'none' } })
    }
    equals((await line.send('GET', '/guarded')).status, 401)
  })

  test(
    'too large: a body is refused, a header is refused, and the next request is answered',
    async (app) => {
      const tokens = await app.login()
      const line = app.line()
      const json = { subject: app.subject(), delivery: 'bearer', filling: 'x'.repeat(300_000) }
      const body = await line.send('POST', '/login', { json, headers: [['Origin', app.origin]] }).catch(brokenOff)
      ok(body.status === 413 || body.status === 0, `a body of 300 kB is answered with ${body.status}`)
      equals(body.setCookies, [])
      // Servers may close the connection of a request of which they have not read everything.
      const token = await app.line().send('GET', '/me', { headers: [bearer(`${tokens.access}${'A'.repeat(6_000)}`)] })
      matches(token, { status: 401, body: { code: 'invalid_token' } })
      const headers = [['Cookie', `filling=${'x'.repeat(40_000)}`] as const, cookies(tokens)]
      const head = await line.send('GET', '/me', { headers }).catch(brokenOff)
      ok(head.status === 0 || head.status >= 400, `a header of 40 kB is answered with ${head.status}`)
      equals((await app.line().send('GET', '/me', { headers: [cookies(tokens)] })).status, 200)
    },
    'http1',
  )

  test('a forged token asks the store nothing', async (app) => {
    const { access } = await app.program()
    // Of a MAC or a signature, not of what both protect: that it is broken is all there is to see.
    const at = access.length - 20
    const forged = access.slice(0, at) + (access[at] === 'A' ? 'B' : 'A') + access.slice(at + 1)
    const line = app.line()
    const calls = await app.callsOf(async () => {
      for (const token of [forged, 'garbage']) {
        equals((await line.send('GET', '/guarded', { headers: [bearer(token)] })).status, 401)
      }
    })
    equals(calls, [])
  })
}

/** A server may close the connection while the client is still sending. */
const brokenOff = () => ({ status: 0, setCookies: [] as string[] })
