import type { Connections } from './connections.ts'
import type { PgClient, PostgresPool, PostgresPoolClient } from './driver.ts'
import { offlineFault } from './faults.ts'

const ignore = () => undefined

/** The application's own pool. Only what is borrowed from it is touched. */
export class GivenPool implements Connections {
  readonly #pool: PostgresPool

  constructor(pool: PostgresPool) {
    this.#pool = pool
  }

  async acquire(): Promise<PgClient> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw offlineFault(error)
    })
    // Without a listener the end of a connection in use would end the process.
    client.on('error', ignore)
    return client
  }

  release(client: PgClient, isBroken: boolean): void {
    const lent = client as PostgresPoolClient
    lent.off('error', ignore)
    lent.release(isBroken)
    // A connection that is closed with a query under way says so once more, after the pool has let go of it.
    if (isBroken) lent.on('error', ignore)
  }

  isExhausted(): boolean {
    return true
  }

  close(): void {}
}
