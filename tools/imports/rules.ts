// Which file may import what, and what no file may touch. The only place to change it.

/** A part is a folder or a file below `packages/countersign/src/`; the longest that matches a path counts. */
export interface Part {
  /** Other parts it may import, types included. Its own files are always allowed. */
  readonly may: readonly string[]
  /** npm packages it may import: optional peers. Everything else gets `node:` built-ins only. */
  readonly peers?: readonly string[]
  /** Imports of other parts must be `import type`. */
  readonly typesOnly?: boolean
}

const ground = ['session', 'internal']
const contract = [
  ...ground,
  'stores/contract.ts',
  'stores/account-store.ts',
  'stores/change-feed.ts',
  'stores/failovers.ts',
  'stores/read-for.ts',
]
const store = [...contract, 'stores/steps', 'stores/shared']
const strategy = [...contract, 'tokens', 'events']
const verb = [...strategy, 'strategies', 'durable']
const wiring = [...verb, 'verbs', 'cache', 'outage', 'sessions.ts']
const edge = [...wiring, 'create-sessions.ts']

export const parts: Readonly<Record<string, Part>> = {
  internal: { may: [] },
  session: { may: ['internal'] },
  events: { may: ground },
  tokens: { may: ground },

  // Re-exports the other three, which are parts of it.
  'stores/contract.ts': { may: [...ground, 'stores/account-store.ts', 'stores/change-feed.ts', 'stores/failovers.ts'] },
  'stores/account-store.ts': { may: ground },
  'stores/change-feed.ts': { may: contract, typesOnly: true },
  'stores/failovers.ts': { may: ground },
  'stores/read-for.ts': { may: contract, typesOnly: true },
  'stores/steps': { may: contract },
  'stores/shared': { may: contract },
  'stores/memory': { may: store },
  'stores/sqlite': { may: store, peers: ['@photostructure/sqlite'] },
  'stores/postgres': { may: store, peers: ['pg'] },
  'stores/redis': { may: store, peers: ['redis'] },
  cache: { may: [...contract, 'events'] },
  durable: { may: [...contract, 'events'] },
  outage: { may: contract },

  strategies: { may: strategy },
  verbs: { may: [...verb, 'cache'] },
  // The type of what create-sessions returns.
  'sessions.ts': { may: [...verb, 'cache', 'outage'], typesOnly: true },
  'create-sessions.ts': { may: wiring },

  // Checks by record as the verbs do, so it stands beside create-sessions.
  verifier: { may: wiring, peers: ['jose'] },
  'one-time': { may: verb },
  oauth: { may: verb },
  accounts: { may: [...edge, 'one-time'], peers: ['@node-rs/argon2'] },
  http: { may: edge },
  // What all of them share; they never import each other, and each only the types of its own framework.
  'adapters/core': { may: [...edge, 'http'] },
  'adapters/fetch': { may: [...edge, 'http', 'adapters/core'] },
  'adapters/node-http': { may: [...edge, 'http', 'adapters/core'] },
  'adapters/express': { may: [...edge, 'http', 'adapters/core'], peers: ['express'] },
  'adapters/fastify': { may: [...edge, 'http', 'adapters/core'], peers: ['fastify'] },
  'adapters/hono': { may: [...edge, 'http', 'adapters/core'], peers: ['hono'] },
  'adapters/koa': { may: [...edge, 'http', 'adapters/core'] },
  'adapters/live': { may: [...edge, 'http', 'one-time'] },
  'adapters/sse': { may: [...edge, 'http', 'one-time', 'adapters/live'] },
  'adapters/ws': { may: [...edge, 'http', 'one-time', 'adapters/live'], peers: ['ws'] },
  'adapters/socket.io': { may: [...edge, 'http', 'one-time', 'adapters/live'], peers: ['socket.io'] },
  import: { may: [...edge, 'http'] },
  browser: { may: [...edge, 'http'], typesOnly: true },
  'browser/react.ts': { may: ['browser'], peers: ['react'], typesOnly: true },
  // What tests are made of: no other part may import these, and the service may not either (below).
  conformance: { may: [...edge, 'http', 'stores/memory', 'testing'] },
  testing: { may: [...edge, 'stores/memory'] },

  'index.ts': { may: [...edge, 'verifier'] },
}

/** Source files longer than this are split. Generated files are exempt; SQL and Lua are not looked at. */
export const maxLines = 400

export interface Forbidden {
  /** Package folders it applies to. */
  readonly packages: readonly string[]
  /** Files (below `src/`) that may do it all the same. */
  readonly except: readonly string[]
  /** `name` = the global of that name; `a.b` = that property of that global; `*.b` = that name wherever it comes from. */
  readonly uses: readonly string[]
  /** Modules that must not be imported. */
  readonly modules: readonly string[]
  readonly why: string
}

export const forbidden: readonly Forbidden[] = [
  {
    packages: ['countersign'],
    except: ['internal/runtime.ts', 'browser/platform.ts'],
    // `new Date()` without an argument and `Date()` are matched by shape, in scan.ts.
    uses: ['Date.now', 'new Date()', 'performance.now', 'process.hrtime', 'setTimeout', 'setInterval', 'setImmediate'],
    modules: ['node:timers', 'node:timers/promises', 'node:perf_hooks'],
    why: 'take the clock and timers from the injected Runtime (internal/runtime.ts)',
  },
  {
    packages: ['countersign'],
    except: ['internal/runtime.ts'],
    uses: [
      '*.randomBytes',
      '*.randomFill',
      '*.randomFillSync',
      '*.randomInt',
      '*.getRandomValues',
      '*.webcrypto',
    ].concat(['globalThis.crypto']),
    modules: [],
    why: 'take random bytes from the injected Runtime (internal/runtime.ts)',
  },
  {
    packages: ['server'],
    except: [],
    uses: [],
    modules: ['countersign/testing', 'countersign/conformance'],
    why: 'it is for tests only',
  },
  {
    packages: ['countersign', 'server'],
    // In a browser it only spreads load.
    except: ['internal/runtime.ts', 'browser/platform.ts'],
    uses: ['Math.random', '*.randomUUID'],
    modules: [],
    why: 'predictable, or not the injected source: use the random of a Runtime',
  },
]
