/** WebSockets of the package `ws`, which end with their session. */
export { WS_CLOSE_CODES } from './close.ts'
export { guardUpgrades, type WsOptions } from './guard-upgrades.ts'
export { SOCKET_PROTOCOL, TICKET_PROTOCOL } from './ticket-protocol.ts'
