// Another process with sessions on the same file: ends what it is told to, one id a line, and says when it is acknowledged.
import { createInterface } from 'node:readline'
import { createSessions, loadKeyring, opaque, type SessionId } from 'countersign'
import { sqliteStore } from 'countersign/stores/sqlite'
import { say } from '../../support/say.ts'

const [file = '', keyring = ''] = process.argv.slice(2)
const store = sqliteStore({ file, busyDeadline: '20s' })
const sessions = createSessions({
  strategy: opaque(),
  keyring: await loadKeyring(JSON.parse(keyring)),
  store,
  timeouts: { absolute: '1d' },
})
await sessions.ready()
say('ready')
for await (const id of createInterface({ input: process.stdin })) {
  await sessions.revoke(id as SessionId, { reason: 'logout' })
  say(id)
}
await sessions.close()
