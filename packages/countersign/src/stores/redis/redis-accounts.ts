import type { Clock } from '../../internal/runtime.ts'
import type { Account, AccountStore, IdentifierRef } from '../contract.ts'
import {
  type Claim,
  decodeAccount,
  decodeClaim,
  encodeAccount,
  encodeAccountParts,
  encodeClaim,
} from './account-codec.ts'
import type { Requests } from './executor.ts'
import { timeoutFault } from './faults.ts'
import type { Keys } from './keys.ts'
import { scripts } from './scripts.generated.ts'

/** How long a registration that died half-way keeps its identifier from everybody else. */
export const LEASE_MS = 60_000

/**
 * Accounts. An account and its identifier are in different slots, because the identifier is looked up before the subject
 * is known; on a cluster no script can write both. So `create` claims, writes and confirms:
 *
 * 1. the identifier, if nobody has it, as a lease that ends by itself;
 * 2. the account, if the subject has none;
 * 3. the lease becomes permanent, or is taken again if it ran out and nobody else has it.
 *
 * Whoever finds a lease looks whether its account exists: then step 3 is made up for (`subjectOf`), else nobody owns the
 * identifier yet. Only the account that the identifier names can be logged in to, so two never own one.
 */
export function redisAccounts({
  executor,
  keys,
  clock,
}: {
  executor: Requests
  keys: Keys
  clock: Clock
}): AccountStore {
  const confirm = async (ref: IdentifierRef, claim: Claim): Promise<boolean> => {
    const permanent = encodeClaim({ ...claim, leased: false })
    return (await executor.run(scripts.keepIdentifier, [keys.identifier(ref)], [encodeClaim(claim), permanent])) === 1
  }
  const takeBack = (key: string, value: Buffer) => executor.run(scripts.deleteExact, [key], [value])
  const accountOf = async (tag: string): Promise<Account | null> => {
    const bytes = await executor.get(keys.account(tag))
    return bytes && decodeAccount(tag, bytes)
  }

  return {
    async create(account) {
      const { tag, subject, tenant } = account
      const claim: Claim = { leased: true, subject: { tag, subject, ...(tenant !== undefined && { tenant }) } }
      const lease = encodeClaim(claim)
      const [identifierKey, accountKey, bytes] = [keys.identifier(account), keys.account(tag), encodeAccount(account)]

      const startedAtMs = clock.monotonicMs()
      const set = ['SET', identifierKey, lease, 'NX', 'PX', String(LEASE_MS)] as const
      const isLeased = (await executor.send(identifierKey, set)) !== null
      if (!isLeased) {
        // Held: by somebody else, or by this same registration whose answer was lost.
        const held = await executor.get(identifierKey)
        if (!held?.equals(lease)) return { is: 'exists' }
      }
      // An account written long after the lease could meet an identifier that somebody else has by now.
      if (clock.monotonicMs() - startedAtMs > LEASE_MS / 2) throw timeoutFault()

      const isNew = (await executor.send(accountKey, ['SET', accountKey, bytes, 'NX'])) !== null
      if (!isNew) {
        const existing = await accountOf(tag)
        if (existing?.identifier === account.identifier) await confirm(account, claim)
        else await takeBack(identifierKey, lease)
        return { is: 'exists' }
      }
      if (await confirm(account, claim)) return { is: 'created' }
      await takeBack(accountKey, bytes)
      return { is: 'exists' }
    },

    async subjectOf(ref) {
      const bytes = await executor.get(keys.identifier(ref))
      if (!bytes) return null
      const claim = decodeClaim(bytes)
      if (!claim.leased) return claim.subject
      const account = await accountOf(claim.subject.tag)
      if (account?.identifier !== ref.identifier) return null
      return (await confirm(ref, claim)) ? claim.subject : null
    },

    bySubject: ({ tag }) => accountOf(tag),

    async replace(account, expectedVersion) {
      const { head, rest } = encodeAccountParts(account)
      const args = [String(expectedVersion), head, rest]
      switch (await executor.run(scripts.replaceAccount, [keys.account(account.tag)], args)) {
        case 1:
          return { is: 'stored' }
        case 0:
          return { is: 'conflict' }
        default:
          return { is: 'unknown' }
      }
    },
  }
}
