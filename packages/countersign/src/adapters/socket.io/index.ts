/** Connections of socket.io, which end with their session. */
export { guardSocketIo, SESSION_EVENTS, type SocketIoGuard, type SocketIoOptions } from './guard-socket-io.ts'
