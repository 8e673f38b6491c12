import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { buildApp } from '../app.ts'
import { printable, printConfig } from '../config/print.ts'
import type { Config } from '../config/resolve.ts'
import { createLog } from '../log.ts'
import { openService, type Service } from '../service.ts'
import { EXIT } from './exit.ts'
import { print } from './output.ts'
import { addSettings, configOf } from './settings.ts'

/** How long requests may take to finish once the server was told to stop. */
const DRAIN_MS = 8_000
/** After that, how long the store may take to close. */
const CLOSE_MS = 4_000

export function serveCommand(): Command {
  return addSettings(new Command('serve'), 'all')
    .description('run the session service')
    .option('--print-config', 'print the configuration, without its secrets, and end')
    .option('--json', 'print where it listens as JSON: {"listening":"http://…","pid":…}')
    .addHelpText(
      'after',
      `
Prints one line on standard output when it is ready: where it listens. The log goes to standard error as JSON lines.
SIGTERM and SIGINT stop it in good order: requests under way are answered, then it exits with 0, after at most ${(DRAIN_MS + CLOSE_MS) / 1_000} s.

Examples:
  countersign serve --port 3000
  countersign serve --store redis://127.0.0.1:6379 --keys keys.json --public-url https://auth.example.com`,
    )
    .action(async (options: { printConfig?: boolean; json?: boolean }, command: Command) => {
      const config = await configOf(command)
      if (options.printConfig) print(options.json, printable(config), [printConfig(config)])
      else await serve(config, options.json)
    })
}

async function serve(config: Config, asJson: boolean | undefined): Promise<void> {
  const destination = pino.destination({ dest: 2, sync: false })
  const log = createLog(config.logLevel, destination)
  const tls = await readTls(config)
  const service = await openService(config)
  let origins: readonly string[] = config.publicUrl === undefined ? [] : [config.publicUrl]
  let app: FastifyInstance
  try {
    app = await buildApp(
      { ...service, log },
      {
        strategy: config.strategy,
        origins: () => origins,
        overHttps: tls !== undefined || config.publicUrl?.startsWith('https:') === true,
        trustedProxies: config.trustedProxies,
        ...(tls && { tls }),
      },
    )
    await app.listen({ host: config.host, port: config.port })
  } catch (error) {
    await service.close()
    throw error
  }
  const { port } = app.server.address() as AddressInfo
  const url = `${tls ? 'https' : 'http'}://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`
  if (origins.length === 0) origins = [new URL(url).origin]

  log.info({ event: 'started', url, settings: printable(config) })
  if (service.madeKeys !== undefined)
    log.warn({ event: 'keys_made', file: service.madeKeys, note: 'back it up with the data' })
  for (const warning of service.sessions.health().warnings) log.warn({ event: 'store_warning', warning })
  stopOnSignal(app, service, log, () => destination.flushSync())
  print(asJson, { listening: url, pid: process.pid }, [`countersign listens on ${url}`])
}

async function readTls({ tlsCert, tlsKey }: Config): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  return { cert: await readFile(tlsCert, 'utf8'), key: await readFile(tlsKey, 'utf8') }
}

/** Stops once, in this order: no new connections, requests under way, store. The time for each is bounded. */
function stopOnSignal(
  app: FastifyInstance,
  service: Service,
  log: ReturnType<typeof createLog>,
  flush: () => void,
): void {
  let stopping = false
  const stop = async (why: string, status: number) => {
    if (stopping) return
    stopping = true
    log.info({ event: 'stopping', why })
    const cut = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
    let failed = false
    const noteFailure = (error: Error) => {
      failed = true
      log.error({ event: 'stop_failed', code: (error as NodeJS.ErrnoException).code ?? error.name })
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
  process.on('unhandledRejection', (error) => log.error({ event: 'unhandled_rejection', name: (error as Error)?.name }))
  process.on('uncaughtException', (error) => {
    log.fatal({ event: 'uncaught_exception', name: error.name })
    void stop('uncaught exception', EXIT.failed)
  })
}
