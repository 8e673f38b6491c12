import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createAccounts } from 'countersign/accounts'
import { memoryStore } from 'countersign/stores/memory'
import { beforeAll, expect, test } from 'vitest'
import { type Kit, kitOn, PASSWORD } from './kit.ts'

let kit: Kit
beforeAll(async () => {
  kit = await kitOn(memoryStore())
})

test.each([
  ['createAccounts.sesions', { sesions: {} }, 'ERR_CONFIG_INVALID'],
  ['store', { store: {} }, 'ERR_CONFIG_INVALID'],
  ['keyring', { keyring: {} }, 'ERR_CONFIG_INVALID'],
  ['sessions', { sessions: { epoch() {} } }, 'ERR_CONFIG_INVALID'],
  ['roles', { roles: ['a,b'] }, 'ERR_CONFIG_INVALID'],
  ['passwords.min', { passwords: { min: 8 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.minLength', { passwords: { minLength: 7 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.minLength', { passwords: { minLength: 65 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.minLength', { passwords: { minLength: 15.5 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.maxBytes', { passwords: { maxBytes: 255 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.maxBytes', { passwords: { maxBytes: Number.POSITIVE_INFINITY } }, 'ERR_CONFIG_INVALID'],
  ['passwords.concurrency', { passwords: { concurrency: 0 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.queue', { passwords: { queue: -1 } }, 'ERR_CONFIG_INVALID'],
  ['passwords.queue', { passwords: { queue: '64' } }, 'ERR_CONFIG_INVALID'],
  ['passwords.words', { passwords: { words: ['ab'] } }, 'ERR_CONFIG_INVALID'],
  ['passwords.refuse', { passwords: { refuse: 'yes' } }, 'ERR_CONFIG_INVALID'],
  ['passwords.argon2.memory', { passwords: { argon2: { memory: 1 } } }, 'ERR_CONFIG_INVALID'],
  ['passwords.argon2.memoryKiB', { passwords: { argon2: { memoryKiB: 7_167 } } }, 'ERR_CONFIG_INVALID'],
  ['passwords.argon2.memoryKiB', { passwords: { argon2: { memoryKiB: 262_145 } } }, 'ERR_CONFIG_INVALID'],
  ['passwords.argon2.parallelism', { passwords: { argon2: { parallelism: 17 } } }, 'ERR_CONFIG_INVALID'],
  ['passwords.argon2', { passwords: { argon2: { memoryKiB: 19_455, passes: 2 } } }, 'ERR_CONFIG_UNSAFE'],
])('a wrong "%s" is named', (option, wrong, code) => {
  const { store, keyring, sessions } = kit
  const options = { store, keyring, sessions, ...wrong } as never
  expect(() => createAccounts(options)).toThrow(expect.objectContaining({ code }))
  expect(() => createAccounts(options)).toThrow(`"${option}"`)
})

test.each([
  ['identifier', () => kit.accounts.authenticate({ identifier: 1 as never, password: PASSWORD })],
  ['identifier', () => kit.accounts.register({ identifier: undefined as never, password: PASSWORD })],
  ['password', () => kit.accounts.authenticate({ identifier: 'a', password: Buffer.from('x') as never })],
  ['password', () => kit.accounts.register({ identifier: 'a', password: null as never })],
  ['tenant', () => kit.accounts.authenticate({ identifier: 'a', tenant: '', password: PASSWORD })],
  ['subject', () => kit.accounts.ban('')],
  ['reason', () => kit.accounts.ban('a', { reason: 'x'.repeat(257) })],
  ['roles', () => kit.accounts.setRoles('a', ['root' as never])],
  ['current', () => kit.accounts.changePassword({ subject: 'a', current: 1 as never, next: PASSWORD })],
  [
    'renew',
    () => kit.accounts.changePassword({ subject: 'a', current: PASSWORD, next: PASSWORD, renew: 'x' as never }),
  ],
])('a wrong argument "%s" is named, and its value is not repeated', async (name, call) => {
  const error = await call().catch((error: unknown) => error)
  expect(error).toMatchObject({ code: 'ERR_INPUT_INVALID' })
  expect((error as Error).message).toContain(`"${name}"`)
  expect((error as Error).message).not.toContain(PASSWORD)
})

const USE = `
import { generateKeyring, loadKeyring } from './dist/index.js'
import { createAccounts } from './dist/accounts/index.js'
import { memoryStore } from './dist/stores/memory/index.js'
const sessions = { epoch: async () => 0, setRoles() {}, revokeAll() {} }
const accounts = createAccounts({ store: memoryStore(), keyring: await loadKeyring(generateKeyring()), sessions })
const answer = (call) => call.then(() => 'nothing was thrown', ({ code, message }) => ({ code, message }))
const login = { identifier: 'a', password: 'plinth-gavotte-ossify' }
console.log(JSON.stringify([await answer(accounts.ready()), await answer(accounts.authenticate(login))]))
`

test('without the optional package, the first use says what to install', async () => {
  // The built library, copied to where no package is installed.
  const bare = await mkdtemp(join(tmpdir(), 'countersign-bare-'))
  try {
    const dist = dirname(dirname(fileURLToPath(import.meta.resolve('countersign/accounts'))))
    await cp(dist, join(bare, 'dist'), { recursive: true })
    await writeFile(join(bare, 'package.json'), JSON.stringify({ type: 'module' }))
    await writeFile(join(bare, 'use.js'), USE)
    const { stdout } = await promisify(execFile)(process.execPath, ['use.js'], { cwd: bare })
    expect(JSON.parse(stdout)).toEqual(
      Array(2).fill({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining('npm install @node-rs/argon2') }),
    )
  } finally {
    await rm(bare, { recursive: true })
  }
})
