import { describe, expect, test } from 'vitest'
import { codesOf, tableBelow } from '../../../../tools/docs/markdown.ts'
import { eventsOf, readRepositoryFile } from './source-types.ts'

const page = readRepositoryFile('docs/events.md')

/** https://cheatsheetseries.owasp.org/cheatsheets/Logging_Vocabulary_Cheat_Sheet.html, the parts that concern sessions and accounts. */
const VOCABULARY = [
  'authn_login_success',
  'authn_login_successafterfail',
  'authn_login_fail',
  'authn_login_fail_max',
  'authn_login_lock',
  'authn_password_change',
  'authn_password_change_fail',
  'authn_impossible_travel',
  'authn_token_created',
  'authn_token_revoked',
  'authn_token_reuse',
  'authn_token_delete',
  'authz_fail',
  'authz_change',
  'authz_admin',
  'excess_rate_limit_exceeded',
  'session_created',
  'session_renewed',
  'session_expired',
  'session_use_after_expire',
  'user_created',
  'user_updated',
  'user_archived',
  'user_deleted',
]

const TABLES = [
  ['Session events', 'packages/countersign/src/events/events.ts', 'SessionEvent'],
  ['Account events', 'packages/countersign/src/accounts/events.ts', 'AccountEvent'],
  ['One-time events', 'packages/countersign/src/one-time/types.ts', 'OneTimeEvent'],
] as const

describe('docs/events.md', () => {
  test.each(TABLES)('%s: every event with its fields and its OWASP names', (heading, path, type) => {
    const events = eventsOf(path, type)
    expect(events.length).toBeGreaterThan(2)
    const documented = tableBelow(page, heading).map(([name, fields, meaning, names]) => {
      expect(meaning).not.toBe('')
      return { type: codesOf(name!)[0], fields: codesOf(fields!), names: codesOf(names!) }
    })
    expect(documented).toEqual(events)
  })

  test('every name is in the vocabulary, or is said to be ours', () => {
    const ours = codesOf(/Names that are ours[^:]*:([\s\S]*?)\n\n/.exec(page)![1]!)
    const used = TABLES.flatMap(([, path, type]) => eventsOf(path, type).flatMap((event) => event.names))
    expect(used.filter((name) => !VOCABULARY.includes(name) && !ours.includes(name))).toEqual([])
  })
})
