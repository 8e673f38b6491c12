import { createSessions } from '../../create-sessions.ts'
import type { SessionEvent } from '../../events/events.ts'
import { invalidOption } from '../../internal/errors.ts'
import type { SessionId } from '../../session/ids.ts'
import type { Timeouts } from '../../session/lifetimes.ts'
import type { StandardSchema } from '../../session/schema.ts'
import type { LimitRule, Store } from '../../stores/contract.ts'
import { allowlist, denylist, type Jwt, opaque, stateless } from '../../strategies/factories.ts'
import { type TestClock, testClock } from '../../testing/test-clock.ts'
import { generateKeyring } from '../../tokens/generate-keyring.ts'
import { type Keyring, loadKeyring } from '../../tokens/keyring.ts'
import type { KeyringFile } from '../../tokens/keys.ts'
import type { Case } from '../runner.ts'
import type { OpenedStore } from '../store/bench.ts'

/** What differs between strategies as far as the cases look at it. Where a promise differs, the case says what and why. */
export interface Traits {
  readonly name: 'opaque' | 'allowlist' | 'denylist' | 'stateless'
  /** A check sees the record, and with it data and roles. */
  readonly readsRecord: boolean
  /** There is a refresh token. */
  readonly renews: boolean
  /** A revocation takes effect at once, not only when the access token expires. */
  readonly atOnce: boolean
}

/** What a file of cases gets. */
export type Declare = (title: string, run: (t: Try) => Promise<void>) => void

interface Cart {
  readonly items: readonly string[]
  readonly theme: 'dark' | 'light'
}

/** As a schema library would make it: checks, and fills in the theme. */
const CART: StandardSchema<Pick<Cart, 'items'> & Partial<Cart>, Cart> = {
  '~standard': {
    version: 1,
    vendor: 'countersign',
    validate(value) {
      const { items, theme = 'dark' } = value as Partial<Cart>
      const fits = Array.isArray(items) && items.every((item) => typeof item === 'string')
      if (!fits || (theme !== 'dark' && theme !== 'light')) return { issues: [{ message: 'is no cart' }] }
      return { value: { items, theme } }
    },
  },
}

const JWT: Jwt<true> = { issuer: 'https://auth.test', audience: ['https://api.test', 'https://cart.test'] }

function strategyOf(name: Traits['name'], more: Partial<Jwt<true>>) {
  const options = { ...JWT, ...more }
  switch (name) {
    case 'opaque':
      return opaque({ audience: options.audience })
    case 'allowlist':
      return allowlist(options)
    case 'denylist':
      return denylist(options)
    case 'stateless':
      return stateless(options)
  }
}

/** What a case may change of the sessions it works with. */
export interface Changes {
  readonly jwt?: Partial<Jwt<true>>
  readonly limits?: { perSubject: number; overflow: LimitRule['overflow'] }
  readonly timeouts?: Timeouts
  readonly keyring?: Keyring
}

/** Opens sessions on one store for the cases of a suite, each with a clock and a subject of its own. */
export class Tries {
  readonly #open: () => Promise<OpenedStore>
  #opening: Promise<{ readonly opened: OpenedStore; readonly file: KeyringFile; readonly keyring: Keyring }> | undefined
  #count = 0

  constructor(open: () => Promise<OpenedStore>) {
    this.#open = open
  }

  /** Makes a case of what a file declares. */
  case(traits: Traits, title: string, run: (t: Try) => Promise<void>): Case {
    return {
      title: `${traits.name}: ${title}`,
      run: async () => {
        this.#opening ??= this.#start()
        const { opened, file, keyring } = await this.#opening
        const one = new Try(traits, opened, file, keyring, `user-${traits.name}-${++this.#count}`)
        try {
          await run(one)
        } finally {
          await one.close()
        }
      },
    }
  }

  async end(): Promise<void> {
    await (await this.#opening?.catch(() => undefined))?.opened.dispose()
  }

  async #start() {
    const opened = await this.#open()
    const file = generateKeyring()
    return { opened, file, keyring: await loadKeyring(file) }
  }
}

/** Everything that one case works with. */
export class Try {
  readonly clock: TestClock = testClock()
  readonly subject: string
  readonly keyringFile: KeyringFile
  readonly #traits: Traits
  readonly #opened: OpenedStore
  readonly #keyring: Keyring
  readonly #made: { close(): Promise<void> }[] = []
  readonly #events: SessionEvent[] = []
  sessions: ReturnType<Try['make']>

  constructor(traits: Traits, opened: OpenedStore, file: KeyringFile, keyring: Keyring, subject: string) {
    this.#traits = traits
    this.#opened = opened
    this.keyringFile = file
    this.#keyring = keyring
    this.subject = subject
    this.sessions = this.make(withoutEnd(opened.store))
  }

  /** The option types are those of `allowlist`, which has all verbs; what `opaque` lacks no case of it uses. */
  make(store: Partial<Store>, changes: Changes = {}) {
    const { jwt = {}, limits, timeouts = { absolute: '7d', idle: '30m' }, keyring = this.#keyring } = changes
    if (!store.sessions) throw invalidOption('open', 'must give a store with sessions')
    const made = createSessions({
      strategy: strategyOf(this.#traits.name, jwt) as ReturnType<typeof allowlist<true>>,
      keyring,
      store: this.clock.on(store as Store),
      runtime: this.clock.runtime,
      timeouts,
      ...(limits && { limits }),
      data: CART,
      roles: ['user', 'moderator', 'admin'],
    })
    made.events.on('*', (event) => void this.#events.push(event))
    this.#made.push(made)
    return made
  }

  /** Goes on with other settings. */
  use(changes: Changes): void {
    this.sessions = this.make(withoutEnd(this.#opened.store), changes)
  }

  /** Sessions of another process on the same data, where several can have it. */
  async elsewhere(): Promise<ReturnType<Try['make']>> {
    return this.make((await this.#opened.another?.()) ?? withoutEnd(this.#opened.store))
  }

  seen(type: SessionEvent['type']): readonly SessionEvent[] {
    return this.#events.filter((event) => event.type === type)
  }

  /** Whether the store tells of changes, so that copies are kept in the process. */
  get tellsOfChanges(): boolean {
    return this.#opened.store.sessions?.changes !== undefined
  }

  async login(more: object = {}) {
    const issued = await this.sessions.issue({ subject: this.subject, roles: ['user'], data: { items: [] }, ...more })
    if (!issued.ok) throw new Error(`login refused: ${issued.reason}`)
    return issued
  }

  async refusalOf(token: string, options: object = {}): Promise<string> {
    const checked = await this.sessions.verify(token, options)
    return checked.ok ? 'accepted' : checked.reason
  }

  async devices(): Promise<readonly SessionId[]> {
    const ids: SessionId[] = []
    for await (const session of this.sessions.list(this.subject)) ids.push(session.sessionId)
    return ids
  }

  async close(): Promise<void> {
    for (const one of this.#made) await one.close()
  }
}

/** The store of the whole suite, which outlives the sessions of a case. */
function withoutEnd(store: Partial<Store>): Partial<Store> {
  const { sessions, revocations, lifecycle } = store
  const lasting = lifecycle && {
    name: lifecycle.name,
    ready: (placement: string) => lifecycle.ready(placement),
    health: () => lifecycle.health(),
    nowMs: () => lifecycle.nowMs(),
    close: async () => {},
  }
  return {
    ...(sessions && { sessions }),
    ...(revocations && { revocations }),
    ...(lasting && { lifecycle: lasting }),
  }
}
