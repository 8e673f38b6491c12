import type { Account } from '../../stores/contract.ts'
import { equals } from '../checks.ts'
import type { Bench } from './bench.ts'
import { subjectRef, T } from './samples.ts'

/** Accounts: one per identifier and per subject, changed from the version that was read. */
export function accountCases({ store, test }: Bench): void {
  const { accounts } = store
  let count = 0
  const accountOf = (changes: Partial<Account> = {}): Account => ({
    ...subjectRef(),
    identifier: `user${++count}.${T}@example.com`,
    version: 1,
    passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
    passwordChangedAtMs: T,
    roles: ['user'],
    blocked: null,
    createdAtMs: T,
    unsettled: null,
    ...changes,
  })
  const refOf = ({ tag, subject, tenant }: Account) => ({ tag, subject, ...(tenant !== undefined && { tenant }) })

  test('accounts: created once, found by identifier and by subject', async () => {
    const account = accountOf()
    equals(await accounts.create(account), { is: 'created' })
    equals(await accounts.bySubject(refOf(account)), account)
    equals(await accounts.subjectOf({ identifier: account.identifier }), refOf(account))
    equals(await accounts.bySubject(subjectRef()), null)
    equals(await accounts.subjectOf({ identifier: 'nobody' }), null)
  })

  test('accounts: an identifier that is taken is refused, and nothing is added', async () => {
    const first = accountOf()
    await accounts.create(first)
    const second = accountOf({ identifier: first.identifier })
    equals(await accounts.create(second), { is: 'exists' })
    equals(await accounts.bySubject(refOf(second)), null)
    equals(await accounts.subjectOf({ identifier: first.identifier }), refOf(first))
  })

  test('accounts: a subject that exists is refused, and its new identifier stays free', async () => {
    const first = accountOf()
    await accounts.create(first)
    const again = accountOf({ ...refOf(first) })
    equals(await accounts.create(again), { is: 'exists' })
    equals(await accounts.subjectOf({ identifier: again.identifier }), null)
    equals(await accounts.create(accountOf({ identifier: again.identifier })), { is: 'created' })
  })

  test('accounts: of twenty registrations at once with one identifier one wins', async () => {
    const { identifier } = accountOf()
    const rivals = Array.from({ length: 20 }, () => accountOf({ identifier }))
    const answers = await Promise.all(rivals.map((account) => accounts.create(account)))
    equals(answers.filter((answer) => answer.is === 'created').length, 1)
    const winner = rivals[answers.findIndex((answer) => answer.is === 'created')]!
    equals(await accounts.subjectOf({ identifier }), refOf(winner))
  })

  test('accounts: tenants do not see each other', async () => {
    const { identifier } = accountOf()
    const all = [
      accountOf({ ...subjectRef('u1', 'acme'), identifier }),
      accountOf({ ...subjectRef('u1', 'globex'), identifier }),
      accountOf({ ...subjectRef('u1'), identifier }),
    ]
    for (const account of all) equals(await accounts.create(account), { is: 'created' })
    for (const account of all) {
      const ref = { identifier, ...(account.tenant !== undefined && { tenant: account.tenant }) }
      equals(await accounts.subjectOf(ref), refOf(account))
      equals(await accounts.bySubject(refOf(account)), account)
    }
    equals(await accounts.subjectOf({ identifier, tenant: 'initech' }), null)
  })

  test('accounts: replaced only from the version that was read', async () => {
    const account = accountOf()
    await accounts.create(account)
    const banned = { ...account, version: 2, blocked: 'spam', unsettled: 'banned' as const, roles: [] }
    equals(await accounts.replace(banned, 2), { is: 'conflict' })
    equals(await accounts.bySubject(refOf(account)), account)
    equals(await accounts.replace(banned, 1), { is: 'stored' })
    equals(await accounts.replace({ ...account, version: 2 }, 1), { is: 'conflict' })
    equals(await accounts.bySubject(refOf(account)), banned)
  })

  test('accounts: that an address was verified is kept, and so is that it was not', async () => {
    const account = accountOf()
    await accounts.create(account)
    const verified = { ...account, version: 2, emailVerifiedAtMs: T + 5 }
    equals(await accounts.replace(verified, 1), { is: 'stored' })
    equals(await accounts.bySubject(refOf(account)), verified)
    equals(await accounts.replace({ ...account, version: 3 }, 2), { is: 'stored' })
    equals(await accounts.bySubject(refOf(account)), { ...account, version: 3 })
  })

  test('accounts: of many replacements at once one lands', async () => {
    const account = accountOf()
    await accounts.create(account)
    const writers = Array.from({ length: 8 }, (_, i) =>
      accounts.replace({ ...account, version: 2, roles: [`r${i}`] }, 1),
    )
    const answers = await Promise.all(writers)
    equals(answers.filter((answer) => answer.is === 'stored').length, 1)
  })

  test('accounts: replacing never creates and never changes the identifier', async () => {
    const nobody = accountOf()
    equals(await accounts.replace(nobody, 1), { is: 'unknown' })
    equals(await accounts.bySubject(refOf(nobody)), null)

    const account = accountOf()
    await accounts.create(account)
    const renamed = { ...account, version: 2, identifier: 'other@example.com' }
    equals(await accounts.replace(renamed, 1), { is: 'stored' })
    equals(await accounts.bySubject(refOf(account)), { ...renamed, identifier: account.identifier })
    equals(await accounts.subjectOf({ identifier: account.identifier }), refOf(account))
    equals(await accounts.subjectOf({ identifier: 'other@example.com' }), null)
  })

  test('accounts: identifiers with quotes, NUL and emoji are kept apart', async () => {
    const names = [
      `o'neill";--${T}`,
      `nul${T}`,
      `nul${T}\u0000`,
      `nul${T}\u0000b`,
      `😀${T}`,
      `back\\slash${T}`,
      `back\\\\slash${T}`,
    ]
    const all = names.map((identifier) => accountOf({ ...subjectRef(`s:${identifier}`), identifier }))
    for (const account of all) equals(await accounts.create(account), { is: 'created' })
    for (const account of all) {
      equals(await accounts.subjectOf({ identifier: account.identifier }), refOf(account))
      equals(await accounts.bySubject(refOf(account)), account)
    }
  })
}
