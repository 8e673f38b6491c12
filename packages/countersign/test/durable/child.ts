/** A process with a journal in a file, which the test kills. */
import { allowlist, createSessions, fileJournal, loadKeyring, type SessionId } from 'countersign'
import { redisStore } from 'countersign/stores/redis'

interface Setup {
  readonly url: string
  readonly file: string
  readonly keyring: object
}

async function main({ url, file, keyring }: Setup) {
  const sessions = createSessions({
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test' }),
    keyring: await loadKeyring(keyring),
    store: redisStore({ url, durable: { within: '0.2s' } }),
    timeouts: { absolute: '1d', idle: '1h' },
    roles: ['user', 'admin'],
    journal: fileJournal({ file }),
  })
  await sessions.ready()
  const calls = {
    revoke: (id: string) => sessions.revoke(id as SessionId, { reason: 'logout' }),
    ban: (subject: string) => sessions.revokeAll(subject, { reason: 'banned', block: true }),
    demote: (subject: string) => sessions.setRoles(subject, ['user']),
  }
  process.on('message', async ({ call, argument }: { call: keyof typeof calls; argument: string }) => {
    process.send!(await calls[call](argument))
  })
  process.on('disconnect', () => process.exit())
  process.send!('ready')
}

if (process.env.JOURNAL_CHILD) await main(JSON.parse(process.env.JOURNAL_CHILD) as Setup)
