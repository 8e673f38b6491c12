// Every row of the comparison: what it means and what it has to reach. Ids never change, since results are compared
// over time by them.

/** What `ours` (an absolute bar) or `ours / rival` (all others) has to be. */
export type Bar = { readonly atMost: number } | { readonly atLeast: number }

export interface Row {
  readonly id: string
  readonly unit: string
  /** Compared with what; absent where the bar is absolute. */
  readonly rival?: string
  /** One sentence for a reader who sees nothing else. */
  readonly about: string
  /** Absent: reported, and no promise. */
  readonly bar?: Bar
}

/** Rows that are measured together, in one run of rounds. */
export interface Group {
  readonly id: string
  readonly title: string
  /** How it is measured. */
  readonly how: string
  readonly rows: readonly Row[]
}

const perSecond = 'requests/s'

export const GROUPS: readonly Group[] = [
  {
    id: 'verify-hit',
    title: 'A check that the near cache answers',
    how: '2 000 sessions of `allowlist`, in random order. Each call gets its token as a new string made from bytes, as a server does that has just read it from a socket. No HTTP.',
    rows: [
      {
        id: 'verify-hit/map',
        unit: 'ns per call',
        rival: 'look-up in a bare Map',
        about: '`verifyNow` on a hit against `Map.get` with the same string',
        bar: { atMost: 1.3 },
      },
      {
        id: 'verify-hit/map-awaited',
        unit: 'ns per call',
        rival: 'awaited look-up in a bare Map',
        about: 'awaited `verify` on a hit against an awaited look-up',
        bar: { atMost: 2 },
      },
      {
        id: 'verify-hit/fast-jwt',
        unit: 'ns per call',
        rival: 'fast-jwt, HS256, no cache',
        about: '`verifyNow` on a hit against verifying a token of the same claims',
        bar: { atMost: 0.25 },
      },
    ],
  },
  {
    id: 'http-hit',
    title: 'Requests that the near cache answers',
    how: 'Fastify, 2 000 sessions of `allowlist`, near cache on.',
    rows: [
      {
        id: 'http-hit/map',
        unit: perSecond,
        rival: 'one look-up in a bare Map',
        about: 'a handler with `verifyNow` against one that looks the token up in a `Map` of its own',
        bar: { atLeast: 0.92 },
      },
      {
        id: 'http-hit/map-connected',
        unit: perSecond,
        rival: 'the same beside idle connections to Redis',
        about:
          'the same, where the process of the `Map` has two open connections as ours has: what those cost is not in the ratio',
      },
      {
        id: 'http-hit/fast-jwt',
        unit: perSecond,
        rival: 'fast-jwt, stateless',
        about: 'the same against a handler that verifies a signed token, and can log nobody out',
        bar: { atLeast: 1.1 },
      },
      {
        id: 'http-hit/fast-jwt-cache',
        unit: perSecond,
        rival: 'fast-jwt, stateless, its cache on',
        about: 'the same with the cache of verified tokens that fast-jwt has as an option',
      },
      {
        id: 'http-hit/adapter',
        unit: perSecond,
        rival: 'our own handler without the adapter',
        about: 'the guard of our Fastify adapter against a handler that calls `verifyNow` itself, in the same process',
        bar: { atLeast: 0.97 },
      },
    ],
  },
  {
    id: 'http-direct',
    title: 'Requests that ask Redis each time',
    how: 'Fastify, 2 000 sessions, near cache off: one `GET` for each request. Rivals that only keep a JWT and an id in Redis are compared with `allowlist`, those that keep a session with `opaque`.',
    rows: [
      {
        id: 'http-direct/get-opaque',
        unit: perSecond,
        rival: 'one plain GET',
        about: '`opaque` against a handler that sends one `GET`, on a client with our settings, and checks nothing',
        bar: { atLeast: 0.85 },
      },
      {
        id: 'http-direct/get-allowlist',
        unit: perSecond,
        rival: 'one plain GET',
        about: '`allowlist`, its signatures remembered, against the same',
        bar: { atLeast: 0.85 },
      },
      {
        id: 'http-direct/jsonwebtoken-exists',
        unit: perSecond,
        rival: 'jsonwebtoken and EXISTS',
        about: '`allowlist` against a JWT whose id must exist in Redis, as it is usually written',
        bar: { atLeast: 3 },
      },
      {
        id: 'http-direct/jsonwebtoken-exists-tuned',
        unit: perSecond,
        rival: 'jsonwebtoken and EXISTS, tuned',
        about: 'the same with a key object and a Redis client with our settings',
        bar: { atLeast: 1.2 },
      },
      {
        id: 'http-direct/adapter',
        unit: perSecond,
        rival: 'our own handler without the adapter',
        about:
          '`opaque`, the guard of our Fastify adapter against a handler that awaits `verify` itself, in the same process',
        bar: { atLeast: 0.97 },
      },
    ],
  },
  {
    id: 'http-better-auth',
    title: 'better-auth on Redis',
    how: '`opaque` in a cookie on Fastify, near cache off.',
    rows: [
      {
        id: 'http-direct/better-auth',
        unit: perSecond,
        rival: 'better-auth on Redis',
        about: 'with Redis as secondary storage, as its documentation has it',
        bar: { atLeast: 10 },
      },
      {
        id: 'http-direct/better-auth-tuned',
        unit: perSecond,
        rival: 'better-auth on Redis, tuned',
        about: 'the same with a Redis client with our settings',
      },
    ],
  },
  {
    id: 'http-middleware',
    title: 'Session middleware on Redis',
    how: '`opaque` in a cookie on Fastify, near cache off, against middleware that needs Node 22 or newer: all of this group runs on that newer Node.',
    rows: [
      {
        id: 'http-direct/fastify-session',
        unit: perSecond,
        rival: '@fastify/session, connect-redis',
        about: 'as their READMEs have it: every request also sets the session again',
        bar: { atLeast: 2 },
      },
      {
        id: 'http-direct/fastify-session-tuned',
        unit: perSecond,
        rival: '@fastify/session, connect-redis, tuned',
        about: 'nothing is set again that did not change, and a Redis client with our settings',
      },
      {
        id: 'http-direct/express-session',
        unit: perSecond,
        rival: 'express-session, connect-redis',
        about: 'as their READMEs have it, on Express, which is slower than Fastify by itself',
      },
      {
        id: 'http-direct/express-session-tuned',
        unit: perSecond,
        rival: 'express-session, connect-redis, tuned',
        about: 'the same with a Redis client with our settings',
      },
      {
        id: 'http-direct/iron-session',
        unit: perSecond,
        rival: 'iron-session',
        about: 'an encrypted cookie on Fastify: nothing is asked, and nobody can be logged out',
      },
    ],
  },
  {
    id: 'express-hit',
    title: 'Through the Express adapter',
    how: 'Express, `allowlist` in a cookie, near cache on, against middleware that needs Node 22 or newer: all of this group runs on that newer Node.',
    rows: [
      {
        id: 'express-hit/bare',
        unit: perSecond,
        rival: 'Express without any check',
        about: 'the guard of our Express adapter against a handler that lets everybody in',
        bar: { atLeast: 0.9 },
      },
      {
        id: 'express-hit/map',
        unit: perSecond,
        rival: 'one look-up in a bare Map',
        about:
          'the same against a middleware that looks the token up in a `Map` of its own and says `no-store`: what is left of bare Express when somebody is asked for, and nothing is checked',
      },
      {
        id: 'express-hit/connect-redis',
        unit: perSecond,
        rival: 'express-session, connect-redis',
        about: 'the same against the usual session middleware, as the READMEs have it',
        bar: { atLeast: 1.7 },
      },
    ],
  },
  {
    id: 'commands',
    title: 'Requests to Redis for each HTTP request',
    how: 'Counted on the wire by a proxy in front of Redis, while every session is used many times.',
    rows: [
      {
        id: 'commands/hit',
        unit: 'requests to Redis per HTTP request',
        about: 'near cache on, sessions known; without the fences, which are a row of their own',
        bar: { atMost: 0 },
      },
      {
        id: 'commands/miss',
        unit: 'requests to Redis per HTTP request',
        about: 'near cache off; without the floor, which is read four times a second at most',
        bar: { atMost: 1 },
      },
      { id: 'commands/fences-per-second', unit: 'requests/s', about: 'near cache on: what proves that it may be used' },
      {
        id: 'commands/touches-per-tenth',
        unit: 'requests per session',
        about: 'writes that note the use of a session, per tenth of its idle timeout',
        bar: { atMost: 1 },
      },
      {
        id: 'commands/confirms-per-rotation',
        unit: 'requests per rotation',
        about: 'writes that note the first use of what a refresh gave out',
        bar: { atMost: 1 },
      },
    ],
  },
  {
    id: 'propagation',
    title: 'From a revocation to its refusal everywhere',
    how: 'Four processes with a near cache each. A session that all four know is revoked by another one. Each of the four looks every millisecond whether it would still let the session in; the time is from the acknowledgement until the last of them refuses, by the clock that all processes of a machine share.',
    rows: [
      {
        id: 'propagation-p99-ms',
        unit: 'ms',
        about: 'p99 while the four are at no more than 20 % of what they can answer',
        bar: { atMost: 5 },
      },
      { id: 'propagation-p99-ms-idle', unit: 'ms', about: 'the same without load' },
      { id: 'propagation-p50-ms', unit: 'ms', about: 'median under load' },
      {
        id: 'propagation-http-p99-ms',
        unit: 'ms',
        about: 'p99 under load until all have answered so over HTTP, asked again and again by one process',
      },
      {
        id: 'propagation-http-p99-ms-again',
        unit: 'ms',
        about: 'the same when all refuse already: of the row above, what HTTP and this machine take',
      },
    ],
  },
  {
    id: 'bytes',
    title: 'Memory of Redis for each session',
    how: 'The difference of `used_memory`, with all keys, indexes and tables, 180 bytes of data, 5 sessions for each subject, the tables of the server 92 % full. Rivals keep the same data.',
    rows: [
      {
        id: 'bytes-per-session',
        unit: 'bytes',
        about: '`allowlist` with refresh tokens, no device named',
        bar: { atMost: 560 },
      },
      {
        id: 'bytes-per-session-device',
        unit: 'bytes',
        about: 'the same with the id, label and class of a device, and the address of the login',
        bar: { atMost: 700 },
      },
      {
        id: 'bytes-per-session-user-agent',
        unit: 'bytes',
        about: 'the same with the user agent of a browser, 111 characters of it',
      },
      {
        id: 'bytes-vs-connect-redis',
        unit: 'bytes',
        rival: 'express-session, connect-redis',
        about: 'which keeps no index, so that nobody can be logged out everywhere',
      },
      {
        id: 'bytes-vs-better-auth',
        unit: 'bytes',
        rival: 'better-auth on Redis',
        about: 'which keeps the user in each',
      },
    ],
  },
  {
    id: 'scale',
    title: 'The same with a million sessions',
    how: 'Two Redis servers, one with 10 000 sessions and one with a million (quick: 100 000), asked in turns. Medians of single calls, one at a time.',
    rows: [
      {
        id: 'scale-verify',
        unit: 'µs per call',
        rival: 'with 10 000 sessions',
        about: '`verify` of a random one of all sessions, near cache off',
        bar: { atMost: 1.2 },
      },
      {
        id: 'scale-login',
        unit: 'µs per call',
        rival: 'with 10 000 sessions',
        about: '`issue` for a random one of all subjects',
        bar: { atMost: 1.2 },
      },
    ],
  },
  {
    id: 'heap',
    title: 'Memory of Node for each cached session',
    how: 'Heap and buffers after a full garbage collection, before and after 20 000 sessions were read into the near cache of a process. The token is part of it.',
    rows: [
      {
        id: 'heap-per-entry',
        unit: 'bytes',
        about: '`allowlist`, 180 bytes of data',
        bar: { atMost: 2_560 },
      },
    ],
  },
  {
    id: 'forward-auth',
    title: 'A proxy that asks about each request',
    how: 'The sample for nginx in front of an upstream that does nothing, with and without `auth_request`: `wrk` with the tokens of 20 sessions.',
    rows: [
      {
        id: 'forward-auth/nginx',
        unit: perSecond,
        rival: 'nginx without auth_request',
        about: '`GET /verify` for each request, against none: what every other answer of that service costs as well',
      },
    ],
  },
]

export const ROWS: readonly Row[] = GROUPS.flatMap(({ rows }) => rows)

/** The groups that hold what `--only` names: an id, or what several ids begin with, such as `http-direct`. */
export function select(only: readonly string[]): { readonly groups: readonly Group[]; readonly ids: Set<string> } {
  const isWanted = ({ id }: Row, group: Group) =>
    only.length === 0 || only.some((name) => name === id || name === group.id || id.startsWith(`${name}/`))
  const groups = GROUPS.map((group) => ({ ...group, rows: group.rows.filter((row) => isWanted(row, group)) }))
  const wanted = groups.filter(({ rows }) => rows.length > 0)
  return { groups: wanted, ids: new Set(wanted.flatMap(({ rows }) => rows.map(({ id }) => id))) }
}
