import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Service } from '../service.ts'
import { EXIT } from './exit.ts'

/** How long requests may take to finish once the server was told to stop. */
export const DRAIN_MS = 8_000
/** After that, how long the store may take to close. */
export const CLOSE_MS = 4_000

/** Stops once, in this order: no new connections, requests under way, store. The time for each is bounded. */
export function stopOnSignal(app: FastifyInstance, service: Service, log: Logger, flush: () => void): void {
  let stopping = false
  const stop = async (why: string, status: number) => {
    if (stopping) return
    stopping = true
    log.info({ event: 'stopping', why })
    const cut = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
    let failed = false
    const noteFailure = (error: Error) => {
      failed = true
      log.error({ event: 'stop_failed', err: error })
    }
    await app.close().catch(noteFailure)
    clearTimeout(cut)
    const late = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS).unref())
    await Promise.race([service.close().catch(noteFailure), late])
    log.info({ event: 'stopped' })
    flush()
    process.exit(failed ? EXIT.failed : status)
  }
  process.on('SIGTERM', () => void stop('SIGTERM', EXIT.ok))
  process.on('SIGINT', () => void stop('SIGINT', EXIT.ok))
  // A promise that nobody waited for has harmed nobody yet; an exception nobody caught may have left anything half done.
  process.on('unhandledRejection', (error) => log.error({ event: 'unhandled_rejection', err: error }))
  process.on('uncaughtException', (error) => {
    log.fatal({ event: 'uncaught_exception', err: error })
    void stop('uncaught exception', EXIT.failed)
  })
}
