import type { Account, AccountStore, IdentifierRef } from '../contract.ts'
import { key } from '../shared/escapes.ts'
import { decodeAccount, encodeAccount } from './codec.ts'
import type { Statements } from './connection.ts'

/** Runs something on the open database: `write` in a durable transaction, `read` as one statement. */
export interface Runner {
  write<T>(step: (sql: Statements) => T): Promise<T>
  read<T>(step: (sql: Statements) => T): Promise<T>
}

/** Accounts in the same file as the sessions. One row each; the row's own columns are what it is looked up by. */
export function sqliteAccounts({ write, read }: Runner): AccountStore {
  return {
    create: (account) =>
      write((sql) => {
        const { changes } = sql.createAccount.run(
          key(account.tag),
          tenantOf(account),
          key(account.identifier),
          account.version,
          encodeAccount(account),
        )
        return { is: Number(changes) === 1 ? 'created' : 'exists' }
      }),
    subjectOf: (ref) =>
      read((sql) => {
        const account = accountIn(sql.accountByIdentifier.get(tenantOf(ref), key(ref.identifier)))
        if (!account) return null
        const { tag, subject, tenant } = account
        return { tag, subject, ...(tenant !== undefined && { tenant }) }
      }),
    bySubject: (subject) => read((sql) => accountIn(sql.accountByTag.get(key(subject.tag)))),
    replace: (account, expectedVersion) =>
      write((sql) => {
        const kept = accountIn(sql.accountByTag.get(key(account.tag)))
        if (!kept) return { is: 'unknown' }
        if (kept.version !== expectedVersion) return { is: 'conflict' }
        const next = { ...account, identifier: kept.identifier }
        sql.replaceAccount.run(next.version, encodeAccount(next), key(account.tag))
        return { is: 'stored' }
      }),
  }
}

/** Without tenants the column is empty and not NULL: NULLs are all different to a UNIQUE index. A tenant is never empty. */
function tenantOf(ref: IdentifierRef): string {
  return ref.tenant === undefined ? '' : key(ref.tenant)
}

function accountIn(row: unknown): Account | null {
  return row === undefined ? null : decodeAccount((row as { body: unknown }).body)
}
