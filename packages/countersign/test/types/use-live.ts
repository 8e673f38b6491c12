// What must and must not compile of live connections.
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  allowlist,
  createSessions,
  type Keyring,
  opaque,
  type StandardSchema,
  type Store,
  stateless,
} from 'countersign'
import { liveConnections, type SocketTickets } from 'countersign/live'
import { guardSocketIo } from 'countersign/socket.io'
import { eventStreams } from 'countersign/sse'
import { guardUpgrades } from 'countersign/ws'
import type { Server, Socket } from 'socket.io'
import type { WebSocketServer } from 'ws'

declare const store: Store
declare const keyring: Keyring
declare const tickets: SocketTickets
declare const data: StandardSchema<{ items: string[] }, { items: string[] }>
const jwt = { issuer: 'i', audience: 'a' }
const timeouts = { absolute: '1d' } as const

const sessions = createSessions({
  strategy: allowlist(jwt),
  store,
  keyring,
  timeouts,
  data,
  roles: ['user', 'admin'],
})
const live = liveConnections({ sessions, outage: { closeAfter: '60s' }, countsAsActivity: 'messages' })
// @ts-expect-error a bare number has no unit
liveConnections({ sessions, outage: { closeAfter: 60 } })
// @ts-expect-error it has to be said what counts
liveConnections({ sessions, countsAsActivity: true })
liveConnections({ sessions: createSessions({ strategy: opaque(), store, keyring, timeouts }) })
liveConnections({
  sessions: createSessions({ strategy: stateless({ ...jwt, refresh: true }), store, keyring, timeouts }),
})
const storeless = createSessions({ strategy: stateless({ ...jwt, refresh: false }), keyring, timeouts })
// @ts-expect-error without a record nobody knows when it ends
liveConnections({ sessions: storeless })
// @ts-expect-error the same
storeless.follow

declare const wss: WebSocketServer
guardUpgrades(wss, {
  live,
  tickets,
  origins: ['https://app.example.com'],
  roles: ['admin'],
  onConnection(socket, connection) {
    const items: readonly string[] = connection.session.data.items
    const role: 'user' | 'admin' | undefined = connection.session.roles[0]
    socket.send(`${items.length} ${role}`)
    // @ts-expect-error what is read is frozen
    connection.session.data.items.push('x')
  },
  onChanged: (socket, session, before) => socket.send(`${before.roles.length} ${session.roles.length}`),
})
// @ts-expect-error who may connect has to be said
guardUpgrades(wss, { live, onConnection() {} })

declare const io: Server
declare const socket: Socket
const guard = guardSocketIo(io, { live, origins: [] })
const role: 'user' | 'admin' | undefined = guard.connectionOf(socket).session.roles[0]
void role

declare const request: IncomingMessage
declare const response: ServerResponse
const events = eventStreams({ live, origins: [] })
const stream = await events.open(request, response)
// @ts-expect-error it may have been refused
stream.send({ data: 1 })
stream?.send({ event: 'x', data: stream.session.data.items })
// @ts-expect-error an EventSource could send a ticket in the URL only
eventStreams({ live, origins: [], tickets })
