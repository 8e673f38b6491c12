/** Live connections without a framework: for `ws`, `socket.io` and server-sent events there are adapters. */
export {
  ADMISSION_OPTIONS,
  type Admission,
  type AdmissionOptions,
  createAdmission,
  factsOf,
  type Identified,
} from './admission.ts'
export type { LiveEnd } from './ends.ts'
export { liveConnections } from './live-connections.ts'
export { checkHandshake, type HandshakeRule, type Opening } from './origin.ts'
export { type SocketTickets, type SocketTicketsOptions, socketTickets, type TicketHolder } from './tickets.ts'
export type {
  LiveConnection,
  LiveConnections,
  LiveHealth,
  LiveHost,
  LiveOptions,
  LiveSessions,
  Opened,
  Wire,
} from './types.ts'
