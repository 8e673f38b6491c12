import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Service } from '../service.ts'
import { EXIT } from './exit.ts'

/** How long callers are told `Connection: close` before connections that are idle are closed. */
const NOTICE_MS = 250
/** How long requests may take to finish after that. */
const DRAIN_MS = 8_000
/** After that, how long the store may take to close. */
const CLOSE_MS = 4_000
/** All of it together, for people. */
export const STOP_SECONDS = Math.ceil((NOTICE_MS + DRAIN_MS + CLOSE_MS) / 1_000)

/** What is to be stopped, or told to look at its keys again. */
export interface Running {
  readonly app: FastifyInstance
  readonly service: Service
  readonly log: Logger
  /** Called for SIGHUP. */
  reload(): void
  /** Called first, when the signal to stop comes. */
  begin(): void
  /** Called last, before the process exits. */
  end(): void
}

/**
 * SIGTERM and SIGINT stop, once, in this order: notice, no new connections, requests under way, store. The time for each is
 * bounded. SIGHUP means "read your files again", unless the log goes to a terminal: then that has gone, and nobody is
 * there to stop us later.
 */
export function actOnSignals({ app, service, log, reload, begin, end }: Running): void {
  let stopping = false
  const stop = async (why: string, status: number) => {
    if (stopping) return
    stopping = true
    log.info({ event: 'stopping', why })
    begin()
    await new Promise((resolve) => setTimeout(resolve, NOTICE_MS))
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
    end()
    process.exit(failed ? EXIT.failed : status)
  }
  process.on('SIGTERM', () => void stop('SIGTERM', EXIT.ok))
  process.on('SIGINT', () => void stop('SIGINT', EXIT.ok))
  process.on('SIGHUP', () => (process.stderr.isTTY ? void stop('SIGHUP', EXIT.ok) : reload()))
  // A promise that nobody waited for has harmed nobody yet; an exception nobody caught may have left anything half done.
  process.on('unhandledRejection', (error) => log.error({ event: 'unhandled_rejection', err: error }))
  process.on('uncaughtException', (error) => {
    log.fatal({ event: 'uncaught_exception', err: error })
    void stop('uncaught exception', EXIT.failed)
  })
}
