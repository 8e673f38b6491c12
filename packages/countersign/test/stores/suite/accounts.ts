import type { Account } from 'countersign/stores/contract'
import { expect } from 'vitest'
import { type Bench, subjectRef, T } from './kit.ts'

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
    expect(await accounts.create(account)).toEqual({ is: 'created' })
    expect(await accounts.bySubject(refOf(account))).toEqual(account)
    expect(await accounts.subjectOf({ identifier: account.identifier })).toEqual(refOf(account))
    expect(await accounts.bySubject(subjectRef())).toBeNull()
    expect(await accounts.subjectOf({ identifier: 'nobody' })).toBeNull()
  })

  test('accounts: an identifier that is taken is refused, and nothing is added', async () => {
    const first = accountOf()
    await accounts.create(first)
    const second = accountOf({ identifier: first.identifier })
    expect(await accounts.create(second)).toEqual({ is: 'exists' })
    expect(await accounts.bySubject(refOf(second))).toBeNull()
    expect(await accounts.subjectOf({ identifier: first.identifier })).toEqual(refOf(first))
  })

  test('accounts: a subject that exists is refused, and its new identifier stays free', async () => {
    const first = accountOf()
    await accounts.create(first)
    const again = accountOf({ ...refOf(first) })
    expect(await accounts.create(again)).toEqual({ is: 'exists' })
    expect(await accounts.subjectOf({ identifier: again.identifier })).toBeNull()
    expect(await accounts.create(accountOf({ identifier: again.identifier }))).toEqual({ is: 'created' })
  })

  test('accounts: of twenty registrations at once with one identifier one wins', async () => {
    const { identifier } = accountOf()
    const rivals = Array.from({ length: 20 }, () => accountOf({ identifier }))
    const answers = await Promise.all(rivals.map((account) => accounts.create(account)))
    expect(answers.filter((answer) => answer.is === 'created')).toHaveLength(1)
    const winner = rivals[answers.findIndex((answer) => answer.is === 'created')]!
    expect(await accounts.subjectOf({ identifier })).toEqual(refOf(winner))
  })

  test('accounts: tenants do not see each other', async () => {
    const { identifier } = accountOf()
    const all = [
      accountOf({ ...subjectRef('u1', 'acme'), identifier }),
      accountOf({ ...subjectRef('u1', 'globex'), identifier }),
      accountOf({ ...subjectRef('u1'), identifier }),
    ]
    for (const account of all) expect(await accounts.create(account)).toEqual({ is: 'created' })
    for (const account of all) {
      const ref = { identifier, ...(account.tenant !== undefined && { tenant: account.tenant }) }
      expect(await accounts.subjectOf(ref)).toEqual(refOf(account))
      expect(await accounts.bySubject(refOf(account))).toEqual(account)
    }
    expect(await accounts.subjectOf({ identifier, tenant: 'initech' })).toBeNull()
  })

  test('accounts: replaced only from the version that was read', async () => {
    const account = accountOf()
    await accounts.create(account)
    const banned = { ...account, version: 2, blocked: 'spam', unsettled: 'banned' as const, roles: [] }
    expect(await accounts.replace(banned, 2)).toEqual({ is: 'conflict' })
    expect(await accounts.bySubject(refOf(account))).toEqual(account)
    expect(await accounts.replace(banned, 1)).toEqual({ is: 'stored' })
    expect(await accounts.replace({ ...account, version: 2 }, 1)).toEqual({ is: 'conflict' })
    expect(await accounts.bySubject(refOf(account))).toEqual(banned)
  })

  test('accounts: that an address was verified is kept, and so is that it was not', async () => {
    const account = accountOf()
    await accounts.create(account)
    const verified = { ...account, version: 2, emailVerifiedAtMs: T + 5 }
    expect(await accounts.replace(verified, 1)).toEqual({ is: 'stored' })
    expect(await accounts.bySubject(refOf(account))).toEqual(verified)
    expect(await accounts.replace({ ...account, version: 3 }, 2)).toEqual({ is: 'stored' })
    expect(await accounts.bySubject(refOf(account))).toEqual({ ...account, version: 3 })
  })

  test('accounts: of many replacements at once one lands', async () => {
    const account = accountOf()
    await accounts.create(account)
    const writers = Array.from({ length: 8 }, (_, i) =>
      accounts.replace({ ...account, version: 2, roles: [`r${i}`] }, 1),
    )
    const answers = await Promise.all(writers)
    expect(answers.filter((answer) => answer.is === 'stored')).toHaveLength(1)
  })

  test('accounts: replacing never creates and never changes the identifier', async () => {
    const nobody = accountOf()
    expect(await accounts.replace(nobody, 1)).toEqual({ is: 'unknown' })
    expect(await accounts.bySubject(refOf(nobody))).toBeNull()

    const account = accountOf()
    await accounts.create(account)
    const renamed = { ...account, version: 2, identifier: 'other@example.com' }
    expect(await accounts.replace(renamed, 1)).toEqual({ is: 'stored' })
    expect(await accounts.bySubject(refOf(account))).toEqual({ ...renamed, identifier: account.identifier })
    expect(await accounts.subjectOf({ identifier: account.identifier })).toEqual(refOf(account))
    expect(await accounts.subjectOf({ identifier: 'other@example.com' })).toBeNull()
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
    for (const account of all) expect(await accounts.create(account)).toEqual({ is: 'created' })
    for (const account of all) {
      expect(await accounts.subjectOf({ identifier: account.identifier })).toEqual(refOf(account))
      expect(await accounts.bySubject(refOf(account))).toEqual(account)
    }
  })
}
