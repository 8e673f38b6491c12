// One life of everything: the real server in two strategies, the command line, and the library on the same store. Gives
// every secret that was issued or typed, and every place where one might have been left.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Place } from '../../../../tools/test-support/secret-search.ts'
import { runCommand, startServer } from '../../../../tools/test-support/server-process.ts'
import { type Answer, bearer, Client, PASSWORD } from '../support.ts'
import { libraryRun } from './library-run.ts'
import type { Backing } from './places.ts'
import { Vault } from './vault.ts'

const NEW_PASSWORD = 'another long enough sentence'
const WRONG_PASSWORD = 'canary "wrong" pässword canary'
const CLI_PASSWORD = 'typed at the command line, once'

export interface FullRun {
  readonly vault: Vault
  readonly places: readonly Place[]
}

/**
 * @param leak - The fault that the test must find: the library's store writes a token into the session's data, and a
 * client sends one as its user agent, which the log and the list of devices show.
 */
export async function fullRun(backing: Backing, dir: string, leak: boolean): Promise<FullRun> {
  const keys = join(dir, 'keys.json')
  const made = await runCommand(['keys', 'generate', '--out', keys])
  const vault = new Vault(JSON.parse(readFileSync(keys, 'utf8')))
  for (const secret of backing.secrets) vault.add('password of the store', secret)
  for (const password of [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, CLI_PASSWORD]) vault.add('password', password)

  const notes = new Notes()
  notes.add('command line', made)
  const storage = ['--store', backing.location, '--keys', keys]
  const command = async (args: readonly string[], input?: string) => {
    const done = await runCommand([...args, ...storage], input)
    notes.add('command line', done)
    return done
  }
  const open: Place[] = []
  const look = () => open.push(...backing.whileOpen())
  const run = { vault, notes, look, leak }
  for (const strategy of leak ? (['allowlist'] as const) : (['allowlist', 'opaque'] as const)) {
    const server = await startServer(['--strategy', strategy, '--log-level', 'debug', '--grace', '0.05s', ...storage])
    await serverRun(server.url, strategy, run)
    if (!leak && strategy === 'allowlist') await operatorRun(server.url, run, command)
    look()
    await server.stop()
    notes.add('log of the server', server.logs() + server.stdout())
  }
  await libraryRun(backing.location, keys, run)
  return { vault, places: [...notes.places(), ...open, ...(await backing.afterwards())] }
}

/** Collects what was said, by the place that said it. */
export class Notes {
  readonly #texts = new Map<string, string[]>()

  add(place: string, said: unknown): void {
    const texts = this.#texts.get(place) ?? []
    texts.push(typeof said === 'string' ? said : JSON.stringify(said))
    this.#texts.set(place, texts)
  }
  places(): Place[] {
    return [...this.#texts].map(([name, texts]) => ({ name, content: texts.join('\n') }))
  }
}

export interface Run {
  readonly vault: Vault
  readonly notes: Notes
  /** Call it while the store is open. */
  readonly look: () => void
  readonly leak: boolean
}
type Command = (args: readonly string[], input?: string) => Promise<{ readonly code: number | null }>

/** Everything that can be done over HTTP, rightly and wrongly. */
async function serverRun(url: string, strategy: 'allowlist' | 'opaque', run: Run): Promise<void> {
  const { notes, vault } = run
  const renews = strategy === 'allowlist'
  const [cookie, browser, program] = [new Client(url), new Client(url), new Client(url, { origin: '' })]
  const clients = [cookie, browser, program]
  const identifier = `${strategy}@example.com`
  const refused = (answer: Answer) => notes.add('problems', refusal(answer))

  must(await cookie.register(identifier), 201)
  must(await cookie.login(identifier))
  must(await browser.login(identifier, { persistent: true, ...(renews && { delivery: 'browser' }) }))
  const held = await program.login(identifier, { delivery: 'bearer' })
  must(held)
  const { accessToken, refreshToken } = held.body
  if (run.leak) must(await new Client(url, { 'user-agent': refreshToken ?? accessToken }).login(identifier))

  await sleep(100) // the grace: before, a refresh repeats what is there
  if (renews) must(await cookie.post('/auth/refresh'))
  if (renews) {
    must(await browser.post('/auth/refresh'))
    const first = await program.post('/auth/refresh', { refreshToken })
    must(first)
    const again = await program.post('/auth/refresh', { refreshToken })
    must(again)
    if (again.body.refreshToken !== first.body.refreshToken) throw new Error('a repeat gave another successor')
  }
  must(await cookie.post('/auth/reauth', { password: PASSWORD }))
  must(await cookie.post('/auth/password', { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }))
  must(await program.login(identifier, { password: NEW_PASSWORD, delivery: 'bearer' }))
  for (const path of ['/auth/session', '/auth/sessions']) {
    const answer = await cookie.get(path)
    must(answer)
    notes.add('lists', answer.text)
  }

  // What does not belong: wrong, forged, in the wrong place, broken.
  const token = program.secrets.at(-1)!
  refused(await cookie.login(identifier, { password: WRONG_PASSWORD }))
  refused(await cookie.post('/auth/password', { currentPassword: WRONG_PASSWORD, newPassword: NEW_PASSWORD }))
  refused(await program.get('/auth/session', bearer(`${token.slice(0, -8)}AAAAAAAA`)))
  refused(await program.get('/auth/session', bearer(`${token}.${token}`)))
  refused(await program.get('/auth/session', { authorization: `Basic ${token}` }))
  refused(await program.get(`/auth/session?access_token=${token}`))
  refused(await program.get(`/auth/${token}`))
  refused(await cookie.send('DELETE', `/auth/sessions/${token}`))
  refused(await cookie.post('/auth/login', `{"password":"${WRONG_PASSWORD}`))
  refused(await cookie.post('/auth/login', { identifier, password: PASSWORD, [WRONG_PASSWORD]: token }))
  refused(await program.post('/auth/refresh', { refreshToken: `${token}x` }))
  refused(await program.send('PUT', `/auth/session?${encodeURIComponent(WRONG_PASSWORD)}`))

  const ended = await program.post(
    '/auth/logout',
    {},
    bearer(program.secrets.findLast((one) => !one.startsWith('csr_'))!),
  )
  must(ended, 204)
  must(await cookie.post('/auth/sessions/revoke-all', { keepCurrent: true }))
  must(await cookie.post('/auth/logout'), 204)
  refused(await cookie.get('/auth/session', bearer(accessToken)))
  // What is left in the store is not only what has ended.
  must(await program.login(identifier, { password: NEW_PASSWORD, delivery: 'bearer' }))

  for (const client of clients) for (const secret of client.secrets) vault.token(secret)
}

/** What an operator does on the command line while the server runs. */
async function operatorRun(url: string, { notes, vault }: Run, command: Command): Promise<void> {
  const refused = (answer: Answer) => notes.add('problems', refusal(answer))
  const identifier = 'operated@example.com'
  const ok = async (...args: Parameters<Command>) => {
    const { code } = await command(...args)
    if (code !== 0 && code !== 5) throw new Error(`countersign ${args[0].join(' ')} ended with ${code}`)
  }
  await ok(['users', 'add', identifier, '--role', 'admin', '--json'], `${CLI_PASSWORD}\n`)
  const visitor = new Client(url)
  must(await visitor.login(identifier, { password: CLI_PASSWORD }))
  await ok(['users', 'show', identifier])
  await ok(['sessions', 'list', identifier, '--json'])
  await ok(['users', 'role', identifier, 'user'])
  await ok(['users', 'ban', identifier, '--reason', 'a test'])
  refused(await visitor.get('/auth/session'))
  refused(await visitor.login(identifier, { password: CLI_PASSWORD }))
  await ok(['users', 'unban', identifier])
  must(await visitor.login(identifier, { password: CLI_PASSWORD }))
  await ok(['sessions', 'revoke', '--user', identifier])
  await ok(['keys', 'list', '--json'])
  await ok(['config', '--json'])
  for (const secret of visitor.secrets) vault.token(secret)
  // Mistakes: a token where an id belongs, an account that exists, a password where a port belongs.
  await command(['sessions', 'revoke', visitor.secrets[0]!])
  await command(['users', 'add', identifier], `${CLI_PASSWORD}\n`)
  await command(['serve', '--port', WRONG_PASSWORD])
}

function must({ status, text }: Answer, expected = 200): void {
  if (status !== expected) throw new Error(`${status} instead of ${expected}: ${text}`)
}

/** Everything that the refused caller gets to see. */
function refusal({ status, text, headers }: Answer): string {
  if (status < 400) throw new Error(`${status} instead of a refusal`)
  return JSON.stringify([text, [...headers]])
}
