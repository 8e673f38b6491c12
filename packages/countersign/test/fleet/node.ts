/**
 * One node of a fleet, in a process of its own: real sessions on a real store, with the keyring in a file. The release is
 * the built package, or a folder with the sources of another one. Answers the calls of the load over the process channel.
 */
import type { Keyring, SessionId, SigningAlg, StandardSchema } from 'countersign'
import type { Store } from 'countersign/stores/contract'

export interface NodeSetup {
  /** Address of the folder that holds a release; the built package when absent. */
  readonly release?: string
  readonly store:
    | { readonly kind: 'sqlite'; readonly file: string }
    | { readonly kind: 'redis' | 'postgres'; readonly url: string }
  readonly strategy: 'allowlist' | 'denylist'
  readonly alg: readonly SigningAlg[]
  readonly keys: string
}

type Token = { readonly token: string }
type Id = { readonly id: SessionId }
type Tokens = { readonly accessToken: string; readonly refreshToken: string }
type Opened = Tokens & { readonly sessionId: SessionId }
type Counted = { readonly count: number }
/** Whatever the test made the release add to what callers see. */
type Added = { readonly probe?: string }

/** What the load asks for: what goes over the process channel, and what comes back. */
export interface Calls {
  issue: [{ readonly subject: string }, Opened]
  verify: [Token, { readonly subject: string }]
  refresh: [Token, Tokens & { readonly rotation: string }]
  add: [Id, Counted]
  stepUp: [Id, Opened]
  read: [Id, Counted & Added]
  /** Takes up the keyring file. */
  reload: [undefined, { readonly version: number }]
  close: [undefined, object]
}
/** How a call failed: refused with a reason, or thrown with a code. */
export type Failed = { readonly refused: string } | { readonly fault: string; readonly message: string }
/** What comes back, under a name of its own so that nothing is taken for the other. */
export type Answer<Call extends keyof Calls> = { readonly ok: Calls[Call][1] } | Failed
type Handlers = { readonly [Call in keyof Calls]: (args: Calls[Call][0]) => Promise<Answer<Call>> }

const jwt = { issuer: 'https://auth.test', audience: 'https://api.test', grace: '1s' } as const

async function openNode(setup: NodeSetup): Promise<Handlers> {
  const { release } = setup
  const load = (path: string) =>
    import(release === undefined ? `countersign${path}` : `${release}${path || '/index'}${path && '/index'}.ts`)
  const { allowlist, createSessions, denylist, loadKeyring } = (await load('')) as typeof import('countersign')
  const { kind, ...where } = setup.store
  const made = (await load(`/stores/${kind}`)) as Record<string, (options: object) => Store>
  const patience = kind === 'sqlite' ? { busyDeadline: '30s' } : { deadline: '30s' }
  const keyring: Keyring = await loadKeyring(setup.keys)
  const sessions = createSessions({
    strategy: { allowlist, denylist }[setup.strategy]({ ...jwt, alg: setup.alg }),
    keyring,
    store: made[`${kind}Store`]!({ ...where, ...patience }),
    timeouts: { absolute: '1d', idle: '1h' },
    roles: ['user', 'admin'],
    data: countSchema,
  })
  // A busy machine may take longer than the store waits for a connection; a node that is not ready is not in service.
  for (let attempt = 1; ; attempt++) {
    const error = await sessions.ready().catch((thrown: unknown) => thrown as Error & { code?: string })
    if (error === undefined) break
    if (error.code !== 'ERR_STORE_UNAVAILABLE' || attempt === 10) throw error
  }
  const countIn = (data: { readonly count: number } | undefined) => ({ count: data!.count })
  return {
    async issue({ subject }) {
      const done = await sessions.issue({ subject, roles: ['user'], data: { count: 0 } })
      return done.ok ? { ok: { ...tokensOf(done), sessionId: done.session.sessionId } } : { refused: done.reason }
    },
    async verify({ token }) {
      const done = await sessions.verify(token, { roles: ['user'] })
      return done.ok ? { ok: { subject: done.session.subject } } : { refused: done.reason }
    },
    async refresh({ token }) {
      const done = await sessions.refresh(token)
      return done.ok ? { ok: { ...tokensOf(done), rotation: done.rotation } } : { refused: done.reason }
    },
    async add({ id }) {
      const done = await sessions.update(id, ({ count }) => ({ count: count + 1 }))
      return done.ok ? { ok: countIn(done.session.data) } : { refused: done.reason }
    },
    async stepUp({ id }) {
      const done = await sessions.stepUp(id, { acr: 'aal2', amr: ['pwd', 'otp'] })
      return done.ok ? { ok: { ...tokensOf(done), sessionId: done.session.sessionId } } : { refused: done.reason }
    },
    async read({ id }) {
      const done = await sessions.get(id)
      if (!done.ok) return { refused: done.reason }
      const { probe } = done.session as Added
      return { ok: { ...countIn(done.session.data), ...(probe !== undefined && { probe }) } }
    },
    async reload() {
      await keyring.reload()
      return { ok: { version: keyring.version } }
    },
    async close() {
      await sessions.close()
      return { ok: {} }
    },
  }
}

const tokensOf = ({ accessToken, refreshToken }: Tokens): Tokens => ({ accessToken, refreshToken })

const countSchema: StandardSchema<Counted> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Counted }) },
}

async function main(setup: NodeSetup) {
  const handlers = await openNode(setup)
  process.on('message', async ({ id, call, args }: { id: number; call: keyof Calls; args: never }) => {
    try {
      process.send!({ id, result: await handlers[call](args) })
    } catch (error) {
      const { code = 'unknown', message, stack } = error as Error & { code?: string }
      process.send!({ id, result: { fault: code, message: code === 'unknown' ? String(stack) : message } })
    }
  })
  process.on('disconnect', () => process.exit())
  process.send!({ ready: true })
}

if (process.env.FLEET_NODE) await main(JSON.parse(process.env.FLEET_NODE) as NodeSetup)
