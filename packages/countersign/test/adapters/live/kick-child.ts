/** One process with live connections, for `kick-fleet.test.ts`: a real store, a server for sockets, and nothing else. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { allowlist, createSessions, loadKeyring } from 'countersign'
import { liveConnections } from 'countersign/live'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import { guardUpgrades } from 'countersign/ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { z } from 'zod'

export interface ChildSetup {
  readonly store: { readonly kind: 'redis' | 'postgres' | 'sqlite'; readonly at: string }
  readonly keyring: object
  readonly origin: string
}

export function openStore({ kind, at }: ChildSetup['store']) {
  if (kind === 'redis') return redisStore({ url: at, deadline: '20s' })
  return kind === 'postgres'
    ? postgresStore({ url: at, deadline: '20s' })
    : sqliteStore({ file: at, busyDeadline: '20s' })
}

export async function openSessions({ store, keyring }: Pick<ChildSetup, 'store' | 'keyring'>) {
  const opened = openStore(store)
  const sessions = createSessions({
    strategy: allowlist({ issuer: 'https://auth.test', audience: 'https://api.test', grace: '1s' }),
    keyring: await loadKeyring(keyring),
    store: opened,
    timeouts: { absolute: '1d', idle: '1h' },
    data: z.object({ n: z.number() }),
    roles: ['user'],
  })
  await sessions.ready()
  return { sessions, store: opened }
}

async function main(setup: ChildSetup) {
  const { sessions } = await openSessions(setup)
  const live = liveConnections({ sessions })
  const server = createServer()
  const wss = new WebSocketServer({ noServer: true })
  /** When each connection was told to close, on the wall clock of the machine. From then on it is not heard. */
  let endedAtMs: number[] = []
  const onConnection = (socket: WebSocket) => {
    const close = socket.close.bind(socket)
    socket.close = (...how) => {
      if (socket.readyState === socket.OPEN) endedAtMs.push(performance.timeOrigin + performance.now())
      close(...how)
    }
  }
  server.on('upgrade', guardUpgrades(wss, { live, origins: [setup.origin], onConnection }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  process.on('message', (message) => {
    if (message !== 'health') return
    process.send!({ open: live.size, endedAtMs, resets: sessions.health().nearCache.drops.reset })
    endedAtMs = []
  })
  // The test has ended, or has asked for it.
  process.once('disconnect', async () => {
    await live.close()
    await sessions.close()
    server.close()
  })
  process.send!({ port: (server.address() as AddressInfo).port })
}

if (process.env.KICK_CHILD !== undefined) await main(JSON.parse(process.env.KICK_CHILD) as ChildSetup)
