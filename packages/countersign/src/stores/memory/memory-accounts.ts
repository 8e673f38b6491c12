import type { Account, AccountStore, IdentifierRef } from '../contract.ts'

/**
 * Accounts in the memory of one process.
 *
 * @param open - Throws when the store has been closed.
 */
export function memoryAccounts(open: () => void): AccountStore {
  const byPlace = new Map<string, Account>()
  const byIdentifier = new Map<string, Account>()
  const key = (ref: IdentifierRef) => JSON.stringify([ref.tenant ?? null, ref.identifier])
  return {
    async create(account) {
      open()
      if (byIdentifier.has(key(account)) || byPlace.has(account.tag)) return { is: 'exists' }
      byIdentifier.set(key(account), account)
      byPlace.set(account.tag, account)
      return { is: 'created' }
    },
    async subjectOf(ref) {
      open()
      const account = byIdentifier.get(key(ref))
      if (!account) return null
      const { tag, subject, tenant } = account
      return { tag, subject, ...(tenant !== undefined && { tenant }) }
    },
    async bySubject(subject) {
      open()
      return byPlace.get(subject.tag) ?? null
    },
    async replace(account, expectedVersion) {
      open()
      const kept = byPlace.get(account.tag)
      if (!kept) return { is: 'unknown' }
      if (kept.version !== expectedVersion) return { is: 'conflict' }
      const next = { ...account, identifier: kept.identifier }
      byPlace.set(account.tag, next)
      byIdentifier.set(key(next), next)
      return { is: 'stored' }
    },
  }
}
