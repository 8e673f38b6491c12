import type { PgClient } from './driver.ts'

/** Where connections come from: this store's own pool, or the application's. */
export interface Connections {
  /**
   * A connection for the caller alone, to be given back.
   *
   * @throws CountersignError `ERR_STORE_UNAVAILABLE` or `ERR_STORE_MISCONFIGURED` when there is none to be had. May wait
   * for as long as all are in use.
   */
  acquire(): Promise<PgClient>
  /** @param isBroken - The connection is closed at once, whatever is under way on it. */
  release(client: PgClient, isBroken: boolean): void
  /** Whether somebody who waits now waits for others to finish, and not for a server that does not answer. */
  isExhausted(): boolean
  /** Lets go of everything. Connections in use are closed when they are given back. */
  close(): void
}
