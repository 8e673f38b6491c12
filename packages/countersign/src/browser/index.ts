/** The session of a browser tab: the access token in memory, renewed by a cookie that no script sees. No dependency. */
export { createSessionClient } from './client.ts'
export type { Page, Platform, TabChannel } from './platform.ts'
export type {
  Exchanged,
  SessionClient,
  SessionClientOptions,
  SessionInfo,
  SessionPaths,
  SessionState,
  SignedOutReason,
} from './types.ts'
