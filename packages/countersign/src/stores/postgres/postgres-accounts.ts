import { isKnownFormat, unknownFormat } from '../../internal/format.ts'
import { RECORD_FORMAT } from '../../session/record.ts'
import type { Account, AccountStore, IdentifierRef } from '../contract.ts'
import { checkTag, int } from '../shared/arguments.ts'
import { key, unkey } from '../shared/escapes.ts'
import type { Row } from './driver.ts'
import { corruptFault } from './faults.ts'
import type { PostgresContext } from './postgres-sessions.ts'

/** Accounts in the same database as the sessions. The unique index on tenant and identifier decides who was first. */
export function postgresAccounts({ executor, sql }: PostgresContext): AccountStore {
  return {
    async create(account) {
      const [row] = await executor.run(sql.createAccount, [encodeAccount(account)])
      return { is: row!.created === true ? 'created' : 'exists' }
    },
    async subjectOf(ref) {
      const [row] = await executor.run(sql.readIdentifier, [tenantOf(ref), key(ref.identifier)])
      return row ? subjectIn(row) : null
    },
    async bySubject({ tag }) {
      const [row] = await executor.run(sql.readAccount, [checkTag(tag)])
      return row ? decodeAccount(row) : null
    },
    async replace(account, expectedVersion) {
      const values = [encodeAccount(account), int(expectedVersion, 'expectedVersion')]
      const [row] = await executor.run(sql.replaceAccount, values)
      switch (row?.outcome) {
        case 'stored':
        case 'conflict':
        case 'unknown':
          return { is: row.outcome }
        default:
          throw corruptFault('the answer of a step')
      }
    },
  }
}

/** The row as JSON with the columns as members. */
function encodeAccount(account: Account): string {
  return JSON.stringify({
    tag: checkTag(account.tag),
    format: RECORD_FORMAT,
    subject: key(account.subject),
    tenant: tenantOf(account),
    identifier: key(account.identifier),
    version: int(account.version, 'version'),
    password_hash: key(account.passwordHash),
    password_changed_at_ms: int(account.passwordChangedAtMs, 'passwordChangedAtMs'),
    roles: account.roles.map(key),
    blocked: account.blocked === null ? null : key(account.blocked),
    created_at_ms: int(account.createdAtMs, 'createdAtMs'),
    email_verified_at_ms:
      account.emailVerifiedAtMs === undefined ? null : int(account.emailVerifiedAtMs, 'emailVerifiedAtMs'),
    unsettled: account.unsettled,
  })
}

function decodeAccount(row: Row): Account {
  const format = row.format as number
  if (!isKnownFormat(format, RECORD_FORMAT)) throw unknownFormat('an account', format, RECORD_FORMAT, 'postgres')
  return {
    ...subjectIn(row),
    identifier: unkey(row.identifier as string),
    version: row.version as number,
    passwordHash: unkey(row.password_hash as string),
    passwordChangedAtMs: row.password_changed_at_ms as number,
    roles: (row.roles as string[]).map(unkey),
    blocked: row.blocked === null ? null : unkey(row.blocked as string),
    createdAtMs: row.created_at_ms as number,
    ...(row.email_verified_at_ms !== null && { emailVerifiedAtMs: row.email_verified_at_ms as number }),
    unsettled: row.unsettled as Account['unsettled'],
  }
}

/** Without tenants the column is empty. */
function tenantOf({ tenant }: Pick<IdentifierRef, 'tenant'>): string {
  return tenant === undefined ? '' : key(tenant)
}

function subjectIn(row: Row) {
  const tenant = row.tenant === '' ? {} : { tenant: unkey(row.tenant as string) }
  return { tag: row.tag as string, subject: unkey(row.subject as string), ...tenant }
}
