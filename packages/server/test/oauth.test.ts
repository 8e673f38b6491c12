// The endpoints for programs: ASVS 4.3, 4.9, 9.2.2, 9.2.3, 10.4.10, 12.3.5.
import { generateKeyPairSync } from 'node:crypto'
import { createRemoteVerifier, createVerifier, generateKeyring, loadKeyring } from 'countersign'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ASSERTION_TYPE, ISSUER, post, signed, testClient } from './oauth-support.ts'
import { bearer, startApp, type TestApp } from './support.ts'

const API = 'https://api.test'
const BILLING = 'https://billing.test'
const orders = testClient('orders', { audiences: [BILLING, API], scopes: ['read', 'write'] })
const mailer = testClient('mailer', { audiences: [BILLING] }, 'Ed25519')
const api = testClient('api', { introspect: [API] })
const billing = testClient('billing', { introspect: [BILLING] })
const CLIENTS = [orders, mailer, api, billing].map(({ setting }) => setting)
const INACTIVE = [200, '{"active":false}']
type Who = typeof orders

describe.each(['memory', 'sqlite', 'redis', 'postgres'] as const)('on %s', (store) => {
  let app: TestApp
  beforeAll(async () => {
    app = await startApp({ store, clients: CLIENTS })
    await app.client().register('alice@example.com')
  })
  afterAll(() => app.close())
  const credentials = (who: Who, assertion = who.assertion()) => ({
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  })
  const token = (who: Who, form: Record<string, string> = {}) =>
    post(`${app.url}/oauth/token`, { grant_type: 'client_credentials', ...credentials(who), ...form })
  const introspect = (who: Who, about: string, form: Record<string, string> = {}) =>
    post(`${app.url}/oauth/introspect`, { token: about, ...credentials(who), ...form })
  const plain = ({ status, text }: Awaited<ReturnType<typeof post>>) => [status, text]
  const login = async () => (await app.client({ origin: '' }).login('alice@example.com', { delivery: 'bearer' })).body

  describe('POST /oauth/token', () => {
    test('a token for one service, that says no more than it should', async () => {
      const answer = await token(orders, { resource: BILLING, scope: 'read' })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      const { access_token: accessToken, ...rest } = answer.body
      expect(rest).toEqual({ token_type: 'Bearer', expires_in: 300, scope: 'read' })
      const [header, claims] = accessToken.split('.').map((part: string) => Buffer.from(part, 'base64url').toString())
      expect(JSON.parse(header)).toEqual({ alg: 'ES256', kid: expect.any(String), typ: 'at+jwt' })
      const { iat, exp, jti, ...said } = JSON.parse(claims)
      expect(said).toEqual({ iss: ISSUER, sub: 'orders', client_id: 'orders', aud: BILLING, scope: 'read' })
      expect([exp - iat, jti.length]).toEqual([300, 22])
    })

    test('whoever has the public keys can check it; nobody takes it for a person’s', async () => {
      const { access_token: accessToken } = (await token(mailer)).body
      const trust = { issuer: ISSUER, keys: new URL(`${app.url}/.well-known/jwks.json`) }
      const verifier = createVerifier({ ...trust, audience: BILLING })
      expect(await verifier.verify(accessToken)).toMatchObject({
        ok: true,
        session: { subject: 'mailer', clientId: 'mailer' },
      })
      const elsewhere = createVerifier({ ...trust, audience: API })
      expect(await elsewhere.verify(accessToken)).toMatchObject({ ok: false })
      expect((await app.client().get('/auth/session', bearer(accessToken))).status).toBe(401)
      expect(
        (await app.client().get('/auth/session', bearer((await token(orders, { resource: API })).body.access_token)))
          .status,
      ).toBe(401)
    })

    test.each([
      ['no grant', { grant_type: '' }, 400, 'invalid_request'],
      ['the grant for passwords', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
      ['no audience of two', {}, 400, 'invalid_target'],
      ['an audience that is not its', { resource: ISSUER }, 400, 'invalid_target'],
      ['two audiences in one', { resource: `${BILLING} ${API}` }, 400, 'invalid_target'],
      ['a scope that is not its', { resource: API, scope: 'read admin' }, 400, 'invalid_scope'],
      ['a scope twice', { resource: API, scope: 'read read' }, 400, 'invalid_scope'],
    ] as const)('%s: refused', async (_what, form, status, error) => {
      const answer = await token(orders, form)
      expect([answer.status, answer.body.error]).toEqual([status, error])
      expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    })

    test('all its scopes when it names none; none when it has none; unknown parameters are ignored', async () => {
      expect((await token(orders, { resource: API, foo: 'bar' })).body.scope).toBe('read write')
      expect((await token(mailer, { __proto__: 'x' })).body).not.toHaveProperty('scope')
    })
  })

  describe('private_key_jwt', () => {
    const now = () => Math.floor(Date.now() / 1_000)
    const other = testClient('orders')
    const refusals: readonly (readonly [string, () => Record<string, string>, string])[] = [
      ['nothing', () => ({}), 'missing'],
      ['no type', () => ({ client_assertion: orders.assertion() }), 'missing'],
      ['another type', () => ({ ...credentials(orders), client_assertion_type: 'urn:x' }), 'missing'],
      ['a secret instead', () => ({ client_id: 'orders', client_secret: 'x' }), 'missing'],
      ['garbage', () => credentials(orders, 'x'), 'malformed'],
      [
        'a client that does not exist',
        () => credentials(orders, orders.assertion({ iss: 'nobody', sub: 'nobody' })),
        'unknown_client',
      ],
      ['another client’s name', () => ({ ...credentials(orders), client_id: 'mailer' }), 'bad_signature'],
      ['another key', () => credentials(orders, other.assertion({}, { kid: 'orders-key' })), 'bad_signature'],
      ['another issuer', () => credentials(orders, orders.assertion({ iss: 'mailer' })), 'claim_mismatch'],
      ['a list as audience', () => credentials(orders, orders.assertion({ aud: [ISSUER] })), 'claim_mismatch'],
      [
        'the endpoint as audience',
        () => credentials(orders, orders.assertion({ aud: `${app.url}/oauth/token` })),
        'claim_mismatch',
      ],
      ['two audiences', () => credentials(orders, orders.assertion({ aud: [ISSUER, API] })), 'claim_mismatch'],
      ['no jti', () => credentials(orders, orders.assertion({ jti: undefined })), 'claim_mismatch'],
      ['a long jti', () => credentials(orders, orders.assertion({ jti: 'x'.repeat(129) })), 'claim_mismatch'],
      ['no end', () => credentials(orders, orders.assertion({ exp: undefined })), 'claim_mismatch'],
      ['an end as text', () => credentials(orders, orders.assertion({ exp: String(now() + 60) })), 'claim_mismatch'],
      ['over', () => credentials(orders, orders.assertion({ iat: now() - 100, exp: now() - 6 })), 'expired'],
      [
        'more than five minutes',
        () => credentials(orders, orders.assertion({ iat: now(), exp: now() + 301 })),
        'claim_mismatch',
      ],
      [
        'more than five minutes, without a beginning',
        () => credentials(orders, orders.assertion({ iat: undefined, exp: now() + 400 })),
        'claim_mismatch',
      ],
      ['not begun', () => credentials(orders, orders.assertion({ nbf: now() + 30 })), 'not_yet_valid'],
      [
        'from the future',
        () => credentials(orders, orders.assertion({ iat: now() + 30, exp: now() + 60 })),
        'not_yet_valid',
      ],
      [
        'the type of an access token',
        () => credentials(orders, orders.assertion({}, { typ: 'at+jwt' })),
        'claim_mismatch',
      ],
      ['the algorithm none', () => credentials(orders, orders.assertion({}, { alg: 'none' })), 'bad_signature'],
      [
        'a header that asks for more',
        () => credentials(orders, orders.assertion({}, { crit: ['x'], x: 1 })),
        'malformed',
      ],
    ]
    test.each(refusals)('%s: 401 invalid_client, and the reason only in the log', async (_what, make, reason) => {
      for (const [path, form] of [
        ['token', { grant_type: 'client_credentials', resource: API }],
        ['introspect', { token: 'x' }],
      ] as const) {
        app.logged.length = 0
        const answer = await post(`${app.url}/oauth/${path}`, { ...form, ...make() } as Record<string, string>)
        expect(plain(answer)).toEqual([401, '{"error":"invalid_client"}'])
        expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="countersign"')
        const refused = app.logged.map((line) => JSON.parse(line)).find((line) => line.event === 'client_refused')
        expect(refused).toMatchObject({ reason })
      }
    })

    test('a person’s access token is no assertion, and an assertion is no access token', async () => {
      const { accessToken } = await login()
      expect((await post(`${app.url}/oauth/introspect`, { token: 'x', ...credentials(api, accessToken) })).status).toBe(
        401,
      )
      const service = (await token(mailer)).body.access_token
      expect((await post(`${app.url}/oauth/introspect`, { token: 'x', ...credentials(api, service) })).status).toBe(401)
      expect(plain(await introspect(api, api.assertion()))).toEqual(INACTIVE)
      expect((await app.client().get('/auth/session', bearer(orders.assertion()))).status).toBe(401)
    })

    test('an assertion is good once, for whatever endpoint; of many at once one wins', async () => {
      const assertion = orders.assertion()
      const form = { grant_type: 'client_credentials', resource: API, ...credentials(orders, assertion) }
      const answers = await Promise.all(Array.from({ length: 8 }, () => post(`${app.url}/oauth/token`, form)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401, 401, 401, 401])
      expect(
        (await post(`${app.url}/oauth/introspect`, { token: 'x', ...credentials(orders, assertion) })).status,
      ).toBe(401)
      // The same id of another client is another one.
      const jti = 'shared'
      expect((await token(orders, { resource: API, client_assertion: orders.assertion({ jti }) })).status).toBe(200)
      expect((await token(mailer, { client_assertion: mailer.assertion({ jti }) })).status).toBe(200)
    })

    test.each([undefined, 'JWT', 'client-authentication+jwt', 'application/client-authentication+jwt'])(
      'type %s: accepted',
      async (typ) => {
        expect((await token(mailer, { client_assertion: mailer.assertion({}, { typ }) })).status).toBe(200)
      },
    )
  })

  describe('POST /oauth/introspect', () => {
    test('a person’s token, until it is over', async () => {
      const { accessToken, session } = await login()
      const answer = await introspect(api, accessToken)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('cache-control')).toBe('no-store')
      const { exp, iat, jti, auth_time: authTime, ...said } = answer.body
      expect(said).toEqual({
        active: true,
        token_type: 'Bearer',
        iss: ISSUER,
        sub: session.subject,
        aud: [API],
        client_id: 'web',
        sid: session.id,
        acr: 'aal1',
        amr: ['pwd'],
        roles: [],
      })
      expect([exp - iat, typeof jti, Math.abs(authTime - iat) < 5]).toEqual([600, 'string', true])
      await app.client().post('/auth/logout', undefined, bearer(accessToken))
      expect(plain(await introspect(api, accessToken))).toEqual(INACTIVE)
    })

    test('what is not for the caller, of another kind, or nothing at all looks the same', async () => {
      const { accessToken, refreshToken, session } = await login()
      expect(plain(await introspect(billing, accessToken))).toEqual(INACTIVE)
      const service = (await token(mailer)).body.access_token
      expect(plain(await introspect(api, service))).toEqual(INACTIVE)
      const issued = await app.oneTime.issue({ purpose: 'invite', subject: 'x', boundTo: 'x' })
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const forged = signed({ alg: 'ES256', kid: 'x', typ: 'at+jwt' }, { iss: ISSUER, sub: 'x' }, privateKey)
      for (const about of [
        refreshToken,
        session.id,
        app.oneTime.tokenFor(issued.id),
        forged,
        'x',
        `${accessToken}x`,
        'x'.repeat(9_000),
      ]) {
        expect(plain(await introspect(api, about))).toEqual(INACTIVE)
      }
      expect((await introspect(api, accessToken)).body.active).toBe(true)
    })

    test('a service token; once only, when asked so', async () => {
      const { access_token: service } = (await token(orders, { resource: BILLING })).body
      const said = { active: true, sub: 'orders', client_id: 'orders', aud: BILLING, scope: 'read write' }
      expect((await introspect(billing, service)).body).toMatchObject(said)
      expect((await introspect(billing, service, { single_use: 'true' })).body).toMatchObject(said)
      expect(plain(await introspect(billing, service, { single_use: 'true' }))).toEqual(INACTIVE)
      // Of many at once one wins; and asking about somebody else’s does not use it up.
      const { access_token: other } = (await token(orders, { resource: BILLING })).body
      expect(plain(await introspect(api, other, { single_use: 'true' }))).toEqual(INACTIVE)
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => introspect(billing, other, { single_use: 'true' })),
      )
      expect(answers.filter(({ body }) => body.active)).toHaveLength(1)
      expect((await introspect(billing, other, { single_use: 'yes' })).body.error).toBe('invalid_request')
      expect(plain(await introspect(api, (await login()).accessToken, { single_use: 'true' }))).toEqual(INACTIVE)
    })

    test('a client that may not ask is told so; a request without a token is refused', async () => {
      expect(plain(await introspect(orders, 'x'))).toEqual([403, '{"error":"unauthorized_client"}'])
      const answer = await introspect(api, '')
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    })

    test('the verifier that asks: accepted, then refused after the logout', async () => {
      const file = generateKeyring({ signing: ['ES256'] })
      const key = await loadKeyring(file)
      const remote = testClient('remote', { introspect: [API], publicKeys: key.jwks().keys as never })
      const own = await startApp({ store: 'memory', clients: [remote.setting] })
      try {
        await own.client().register('bob@example.com')
        const { accessToken } = (await own.client({ origin: '' }).login('bob@example.com', { delivery: 'bearer' })).body
        const introspection = new URL(`${own.url}/oauth/introspect`)
        const verifier = createRemoteVerifier({ introspection, issuer: ISSUER, audience: API, clientId: 'remote', key })
        expect(await verifier.verify(accessToken)).toMatchObject({
          ok: true,
          session: { clientId: 'web', acr: 'aal1' },
        })
        await own.client().post('/auth/logout', undefined, bearer(accessToken))
        expect(await verifier.verify(accessToken)).toMatchObject({ ok: false, reason: 'unknown' })
      } finally {
        await own.close()
      }
    })
  })

  test('forms that cannot be understood', async () => {
    const send = (body: string, headers = {}) => post(`${app.url}/oauth/token`, body, headers)
    for (const answer of [
      await send('grant_type=client_credentials&grant_type=client_credentials'),
      await send('grant_type=client_credentials&scope=&scope='),
      await send('{"grant_type":"client_credentials"}', { 'content-type': 'application/json' }),
      await send('a=1', { 'content-type': 'text/plain' }),
      await send(''),
    ]) {
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    }
    const { client_assertion: assertion } = credentials(mailer)
    const query = await fetch(`${app.url}/oauth/token?client_assertion=${assertion}`, { method: 'POST' })
    expect(query.status).toBe(400)
    expect((await send('a='.padEnd(17_000, 'x'))).status).toBe(413)
    expect((await fetch(`${app.url}/oauth/token`)).status).toBe(405)
  })

  test('a browser of another origin is refused like everywhere', async () => {
    const form = { grant_type: 'client_credentials', ...credentials(mailer) }
    const answer = await post(`${app.url}/oauth/token`, form, {
      origin: 'https://evil.example',
      'sec-fetch-site': 'cross-site',
    })
    expect(answer.status).toBe(403)
  })

  test('metadata name what there is, and where', async () => {
    const response = await fetch(`${app.url}/.well-known/oauth-authorization-server`)
    expect(await response.json()).toEqual({
      issuer: ISSUER,
      token_endpoint: `${app.url}/oauth/token`,
      introspection_endpoint: `${app.url}/oauth/introspect`,
      jwks_uri: `${app.url}/.well-known/jwks.json`,
      response_types_supported: [],
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['ES256', 'Ed25519'],
      introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
      introspection_endpoint_auth_signing_alg_values_supported: ['ES256', 'Ed25519'],
    })
  })

  test('no token and no assertion is in the log', () => {
    expect(app.logged.join('')).not.toMatch(/eyJ|cs[or1]_/)
  })
})

test('an opaque token is asked about in the same way', async () => {
  const app = await startApp({ strategy: 'opaque', clients: CLIENTS })
  try {
    await app.client().register('alice@example.com')
    const { body } = await app.client({ origin: '' }).login('alice@example.com', { delivery: 'bearer' })
    const ask = (who: Who) =>
      post(`${app.url}/oauth/introspect`, {
        token: body.accessToken,
        client_assertion_type: ASSERTION_TYPE,
        client_assertion: who.assertion(),
      })
    expect((await ask(api)).body).toMatchObject({
      active: true,
      sub: body.session.subject,
      aud: [API],
      sid: body.session.id,
    })
    expect((await ask(billing)).body).toEqual({ active: false })
    await app.client().post('/auth/logout', undefined, bearer(body.accessToken))
    expect((await ask(api)).body).toEqual({ active: false })
  } finally {
    await app.close()
  }
})

test('metadata of an issuer with a path are found where RFC 8414 puts them', async () => {
  const app = await startApp({ settings: { issuer: 'https://auth.test/tenants/one' } })
  try {
    const response = await fetch(`${app.url}/.well-known/oauth-authorization-server/tenants/one`)
    expect(((await response.json()) as { issuer: string }).issuer).toBe('https://auth.test/tenants/one')
  } finally {
    await app.close()
  }
})

test('an outage is not a refusal', async () => {
  const app = await startApp({ store: 'redis', clients: CLIENTS })
  try {
    await app.stopStore()
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: mailer.assertion(),
    }
    const answer = await post(`${app.url}/oauth/token`, form)
    expect([answer.status, answer.body.code]).toEqual([503, 'unavailable'])
  } finally {
    await app.close()
  }
})
