import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { printable, printConfig } from '../src/config/print.ts'
import { storeLocation } from '../src/config/readers.ts'
import {
  type ConfigInput,
  ConfigProblems,
  crossesNetworkInClear,
  isLoopback,
  resolveConfig,
} from '../src/config/resolve.ts'

const folder = mkdtempSync(join(tmpdir(), 'countersign-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const file = (content: unknown) => {
  const path = join(folder, `config-${++files}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}
const resolve = (input: Partial<ConfigInput> = {}) => resolveConfig({ flags: {}, env: {}, ...input })
const problemsOf = async (input: Partial<ConfigInput>): Promise<readonly string[]> => {
  const error = await resolve(input).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return error instanceof ConfigProblems ? error.problems : [`no problem, but ${String(error)}`]
}

describe('clients', () => {
  const jwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }), kid: 'k1' }
  const client = (more: object) => ({ id: 'orders', name: 'Orders', publicKeys: [jwk], ...more })

  test('come from the file only, with none of what they do not ask for', async () => {
    const { clients, sources } = await resolve({ file: file({ clients: [client({ audiences: ['https://a.test'] })] }) })
    expect(clients).toEqual([client({ audiences: ['https://a.test'], scopes: [], introspect: [] })])
    expect(sources.clients).toMatch(/^file /)
    expect((await resolve()).clients).toEqual([])
  })

  test('every problem of every client is reported, and no key is repeated', async () => {
    const secret = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
    const clients = [
      client({}),
      client({ id: 'orders', name: '' }),
      client({ id: 'A'.repeat(24) }),
      client({ id: 'a b', audience: ['x'] }),
      client({ id: 'c', publicKeys: [] }),
      client({ id: 'd', publicKeys: [jwk, { ...secret, kid: 'k2' }, { ...rsa, kid: 'k3' }, { ...jwk, x: 'AAAA' }] }),
      client({ id: 'e', publicKeys: [jwk, jwk] }),
      client({ id: 'f', audiences: 'https://a.test', scopes: ['a b'], introspect: [1] }),
      'orders',
    ]
    const path = file({ clients, port: 'x' })
    const problems = (await problemsOf({ file: path })).map((line) => line.replace(` (from file ${path})`, ''))
    expect(problems).toEqual([
      'port must be a whole number from 0 to 65535',
      'clients [1] "id" is that of another client',
      'clients [1] "name" must be 1 to 128 characters',
      'clients [2] "id" looks like the subject of an account',
      'clients [3] has a member "audience" that does not exist',
      'clients [3] "id" must be 1 to 128 letters, digits and . _ ~ : / -',
      'clients [4] "publicKeys" must be a list of 1 to 8 public JWKs',
      'clients [5] "publicKeys[1]" must be a public key and holds a secret',
      'clients [5] "publicKeys[2]" must be for ES256 or Ed25519',
      'clients [5] "publicKeys[3]" must have coordinates of 32 bytes',
      'clients [6] "publicKeys" needs a "kid" of its own for each key',
      'clients [7] "audiences" must be a list of audiences',
      'clients [7] "introspect" must be a list of audiences',
      'clients [7] "scopes" must be a list of names without spaces and quotes',
      'clients [8] must be an object',
    ])
    expect(problems.join()).not.toContain(secret.d)
  })
})

describe('upstreams and the login', () => {
  test('every problem of every upstream', async () => {
    const problems = await problemsOf({
      file: file({
        upstreams: [
          { name: 'shop', audience: 'https://shop.test' },
          { name: 'shop', audience: '' },
          { name: 'a b', audience: 'x', roles: [] },
          null,
        ],
      }),
    })
    expect(problems.map((problem) => problem.replace(/ \(from .*/, ''))).toEqual([
      'upstreams [1] "name" is that of another upstream',
      'upstreams [1] "audience" must be 1 to 512 characters',
      'upstreams [2] has a member "roles" that does not exist',
      'upstreams [2] "name" must be 1 to 64 letters, digits and . _ ~ -',
      'upstreams [3] must be an object',
    ])
  })

  test('upstreams without a proxy that could ask for them', async () => {
    const upstreams = [{ name: 'shop', audience: 'https://shop.test' }]
    expect(await problemsOf({ file: file({ upstreams }) })).toEqual([
      expect.stringMatching(/^trustedProxies is missing: upstreams are for proxies that ask \/verify/),
    ])
    const { upstreams: read } = await resolve({ file: file({ upstreams, trustedProxies: ['127.0.0.1'] }) })
    expect(read).toEqual(upstreams)
  })

  test.each(['https://evil.test/', '//evil.test', '/\\evil.test', 'login', '/login?x=1', '/login#x', '/lo gin', ''])(
    'a login at %j is refused: it must be a path, so that it is on the host that was asked for',
    async (loginPath) => {
      const [problem = ''] = await problemsOf({ file: file({ loginPath }) })
      expect(problem).toMatch(/^loginPath must be a path such as \/login/)
    },
  )
})

describe('links', () => {
  test.each([
    [{ linkUrl: 'https://a.test/x?y=1' }, /^linkUrl must be an address/],
    [{ linkUrl: 'https://a.test/x#y' }, /^linkUrl must be an address/],
    [{ linkUrl: 'javascript:alert(1)' }, /^linkUrl must be an address/],
    [{ linkUrl: 'http://a.test/' }, /^linkUrl is plain HTTP/],
    [{ mailCommand: '/bin/mail' }, /^linkUrl is missing: links in mails need it/],
  ])('%j is refused', async (content, expected) => {
    const problems = await problemsOf({ file: file(content) })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(expected)
  })
})

describe('sources', () => {
  test('defaults', async () => {
    const { sources, ...settings } = await resolve()
    expect(settings).toEqual({
      host: '127.0.0.1',
      port: 8080,
      publicUrl: undefined,
      issuer: undefined,
      audience: undefined,
      store: { kind: 'sqlite' },
      dataDir: './countersign-data',
      keys: undefined,
      strategy: 'allowlist',
      idle: '30m',
      absolute: '7d',
      accessLifetime: '10m',
      refreshLifetime: '7d',
      grace: '10s',
      roles: ['user', 'moderator', 'admin'],
      perSubject: 100,
      overflow: 'evict_oldest',
      tlsCert: undefined,
      tlsKey: undefined,
      clients: [],
      trustedProxies: [],
      upstreams: [],
      loginPath: '/auth/login',
      unsafePlainHttpOffLoopback: false,
      logLevel: 'info',
    })
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']))
  })

  test('flag over environment over file over default', async () => {
    const path = file({ port: 1, idle: '1m', grace: '1s', roles: ['a', 'b'] })
    const env = { COUNTERSIGN_PORT: '2', COUNTERSIGN_IDLE: '2m', COUNTERSIGN_CONFIG: 'is not read here' }
    const config = await resolve({ flags: { port: '3' }, env, file: path })
    expect([config.port, config.idle, config.grace, config.absolute, config.roles]).toEqual([
      3,
      '2m',
      '1s',
      '7d',
      ['a', 'b'],
    ])
    expect([config.sources.port, config.sources.idle, config.sources.grace]).toEqual([
      '--port',
      'COUNTERSIGN_IDLE',
      `file ${path}`,
    ])
  })

  test('an empty variable is none; COUNTERSIGN_STORE comes before REDIS_URL', async () => {
    const keys = { COUNTERSIGN_KEYS: 'keys.json' }
    expect((await resolve({ env: { COUNTERSIGN_STORE: '', REDIS_URL: 'redis://r:1', ...keys } })).store).toEqual({
      kind: 'redis',
      url: 'redis://r:1',
    })
    expect((await resolve({ env: { COUNTERSIGN_STORE: 'memory', REDIS_URL: 'redis://r:1' } })).store).toEqual({
      kind: 'memory',
    })
  })

  test('PostgreSQL: by flag, variable or file, with its keys, and never from DATABASE_URL', async () => {
    for (const url of [
      'postgres://db/auth',
      'postgresql://u:p@db:5433/auth?sslmode=verify-full',
      'postgres:///a?host=/s',
    ])
      for (const input of [
        { flags: { store: url } },
        { env: { COUNTERSIGN_STORE: url } },
        { file: file({ store: url }) },
      ]) {
        const flags = { ...('flags' in input && input.flags), keys: 'keys.json' }
        expect((await resolve({ ...input, flags })).store).toEqual({ kind: 'postgres', url })
      }
    expect(await problemsOf({ flags: { store: 'postgres://db/auth' } })).toEqual([
      'keys is missing: with Postgres all servers must share one keyring file. Make it once with: countersign keys generate --out keys.json (set it with --keys)',
    ])
    // Of the application, more often than not: sessions must not go there because a shell happens to know it.
    expect((await resolve({ env: { DATABASE_URL: 'postgres://db/shop' } })).store).toEqual({ kind: 'sqlite' })
  })

  test('lists: repeated, with commas, or as JSON', async () => {
    const lists = await Promise.all([
      resolve({ flags: { roles: ['a', 'b, c'] } }),
      resolve({ env: { COUNTERSIGN_ROLES: 'a,b,c' } }),
      resolve({ file: file({ roles: ['a', 'b', 'c'] }) }),
    ])
    for (const { roles } of lists) expect(roles).toEqual(['a', 'b', 'c'])
  })
})

describe('problems', () => {
  test('all at once, one line each, with the name and where it came from', async () => {
    const path = file({ idle: '2h', absolute: '1h', typo: 1, strategy: 'denylist' })
    const env = { COUNTERSIGN_PORT: 'tcp://10.0.0.1:8080', REDIS_URL: 'redis://r:1', COUNTERSIGN_GRACE: '2m' }
    const problems = await problemsOf({
      flags: { host: '0.0.0.0', overflow: 'whatever', roles: 'a b' },
      env,
      file: path,
    })
    expect([...problems].sort()).toEqual(
      [
        `"typo" is not a setting (from file ${path})`,
        'port must be a whole number from 0 to 65535 (from COUNTERSIGN_PORT)',
        `strategy must be one of: allowlist, opaque (from file ${path})`,
        'overflow must be one of: reject, evict_oldest, evict_least_recent (from --overflow)',
        'grace must be at most 1m (from COUNTERSIGN_GRACE)',
        `idle must not be longer than "timeouts.absolute" (from file ${path})`,
        'roles must hold names of 1 to 64 visible ASCII characters without comma, quote or backslash (from --roles)',
        'host is not a loopback address, and plain HTTP would show every token to the network: use --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that speaks HTTPS (from --host)',
        'keys is missing: with Redis all servers must share one keyring file. Make it once with: countersign keys generate --out keys.json (set it with --keys)',
      ].sort(),
    )
  })

  test.each([
    ['idle', '30', 'must be a number with a unit'],
    ['idle', '0m', 'must be at least'],
    ['absolute', '10 days', 'must be a number with a unit'],
    ['absolute', '401d', 'must be at most 400d'],
    ['absolute', 'Infinity', 'must be a number with a unit'],
    ['accessLifetime', '2d', 'must be at most'],
    ['refreshLifetime', '', 'must be a text'],
    ['perSubject', '0', 'must be a whole number from 1 to 1000'],
    ['perSubject', '1.5', 'must be a whole number'],
    ['port', '65536', 'must be a whole number'],
    ['publicUrl', 'auth.example.com', 'must be an address'],
    ['publicUrl', 'https://a.example/path', 'must be an address'],
    ['publicUrl', 'http://auth.example.com', 'is plain HTTP'],
    ['host', '192.0.2.1', 'is not a loopback address'],
    ['host', '::', 'is not a loopback address'],
    ['store', 'mysql://x', 'must be sqlite'],
    ['store', 'redis://', 'must be sqlite'],
    ['store', 'postgres://', 'must be sqlite'],
    ['store', 'postgres:db', 'must be sqlite'],
    ['trustedProxies', '10.0.0.0/33', 'must be IP addresses or ranges'],
    ['trustedProxies', 'loadbalancer', 'must be IP addresses or ranges'],
    ['trustedProxies', '10.0.0.1/8/9', 'must be IP addresses or ranges'],
    ['roles', 'a"b', 'must hold names'],
    ['tlsCert', 'cert.pem', 'tlsKey is missing'],
    ['tlsKey', 'key.pem', 'tlsCert is missing'],
    ['unsafePlainHttpOffLoopback', 'yes', 'must be true or false'],
    ['issuer', 'a\r\nb', 'must be a text'],
  ])('%s %j', async (name, value, expected) => {
    const problems = await problemsOf({ flags: { [name]: value } })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(expected)
  })

  test.each([
    ['not there', join(folder, 'nowhere.json'), 'cannot be read (ENOENT)'],
    ['not JSON', file('{"store": "redis://:canary@host'), 'is not JSON'],
    ['an array', file([]), 'must hold one JSON object'],
  ])('a file that is %s', async (_what, path, expected) => {
    const problems = await problemsOf({ file: path })
    expect(problems).toEqual([`file ${path} ${expected}`])
  })

  test('no value is ever repeated: it may be a secret', async () => {
    const flags = { store: 'redis:canary', publicUrl: 'canary', roles: ['"canary"'], idle: 'canary', port: 'canary' }
    for (const problem of await problemsOf({ flags })) expect(problem).not.toContain('canary')
  })

  test('what is dangerous needs its loud switch', async () => {
    const unsafe = { unsafePlainHttpOffLoopback: true }
    expect((await resolve({ flags: { host: '0.0.0.0', publicUrl: 'http://auth.example.com', ...unsafe } })).host).toBe(
      '0.0.0.0',
    )
    expect((await resolve({ flags: { host: '0.0.0.0', tlsCert: 'c', tlsKey: 'k' } })).host).toBe('0.0.0.0')
  })
})

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['[::1]', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.evil.example', false],
  ['localhost.evil.example', false],
  ['10.0.0.1', false],
])('isLoopback %s: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected)
})

test.each([
  ['redis://db.example:6379', true],
  ['rediss://db.example:6379', false],
  ['postgres://db.example/auth', true],
  ['postgres://db.example/auth?sslmode=disable', true],
  ['postgres://db.example/auth?sslmode=verify-full', false],
  ['postgres://db.example/auth?ssl=true', false],
  ['postgres:///auth?host=db.example', true],
  ['redis://127.0.0.1:1', false],
  ['postgres://localhost/auth', false],
  ['postgres:///auth?host=/run/postgresql', false],
  ['sqlite', false],
])('%s goes over the network in clear: %s', (location, expected) => {
  expect(crossesNetworkInClear(storeLocation(location), {})).toBe(expected)
  if (location === 'postgres://db.example/auth')
    expect(crossesNetworkInClear(storeLocation(location), { PGSSLMODE: 'verify-full' })).toBe(false)
})

describe('printing', () => {
  test('every setting with its source, secrets cut out', async () => {
    const config = await resolve({
      flags: { keys: 'keys.json' },
      env: { REDIS_URL: 'rediss://canary-user:canary-password@redis.example:6380/2?x=canary' },
    })
    const shown = printable(config)
    expect(shown.store).toBe('rediss://***@redis.example:6380/2?***')
    expect(JSON.stringify(shown)).not.toContain('canary')
    const lines = printConfig(config)
    expect(lines).not.toContain('canary')
    expect(lines).toMatch(/^store +rediss:\/\/\*\*\*@redis\.example:6380\/2\?\*\*\* +REDIS_URL$/m)
    expect(lines).toMatch(/^idle +30m +default$/m)
    expect(lines.split('\n')).toHaveLength(Object.keys(shown).length)
  })

  test('of PostgreSQL too', async () => {
    const url = 'postgres://canary-user:canary-password@db.example:5433/auth?sslmode=verify-full&password=canary'
    const config = await resolve({ flags: { keys: 'keys.json', store: url } })
    expect(printable(config).store).toBe('postgres://***@db.example:5433/auth?***')
    expect(printConfig(config)).not.toContain('canary')
  })
})
