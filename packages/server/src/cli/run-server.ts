import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { buildApp } from '../app.ts'
import { printable } from '../config/print.ts'
import type { Config } from '../config/resolve.ts'
import { followKeys } from '../follow-keys.ts'
import { createLog } from '../log.ts'
import { issuerOf, linkBaseOf, openService } from '../service.ts'
import { print } from './output.ts'
import { actOnSignals } from './stopping.ts'

/** Opens everything, listens, prints where, takes up changed keys, and stops on SIGTERM and SIGINT. */
export async function runServer(config: Config, asJson: boolean | undefined): Promise<void> {
  const destination = pino.destination({ dest: 2, sync: false })
  const log = createLog(config.logLevel, destination)
  const tls = await readTls(config)
  const service = await openService(config, 'server')
  let isStopping = false
  let origins: readonly string[] = config.publicUrl === undefined ? [] : [config.publicUrl]
  let app: FastifyInstance
  try {
    app = await buildApp(
      { ...service, log },
      {
        strategy: config.strategy,
        issuer: issuerOf(config),
        origins: () => origins,
        isStopping: () => isStopping,
        overHttps: tls !== undefined || config.publicUrl?.startsWith('https:') === true,
        trustedProxies: config.trustedProxies,
        upstreams: config.upstreams,
        loginPath: config.loginPath,
        ...(tls && { tls }),
        ...(config.mailCommand !== undefined && {
          mail: { command: config.mailCommand, linkBase: linkBaseOf(config) },
        }),
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
  // Happens while the store is closed, when the application has stopped logging events.
  service.sessions.events.on('revocations_left', ({ type, waiting, kept }) => log.warn({ event: type, waiting, kept }))
  for (const warning of service.sessions.health().warnings) log.warn({ event: 'store_warning', warning })
  const keys = service.keysPath === undefined ? undefined : followKeys(service.keysPath, service.keyring, log)
  actOnSignals({
    app,
    service,
    log,
    reload: () => void keys?.now(),
    begin() {
      isStopping = true
      keys?.stop()
    },
    end: () => destination.flushSync(),
  })
  print(asJson, { listening: url, pid: process.pid }, [`countersign listens on ${url}`])
}

async function readTls({ tlsCert, tlsKey }: Config): Promise<{ cert: string; key: string } | undefined> {
  if (tlsCert === undefined || tlsKey === undefined) return undefined
  return { cert: await readFile(tlsCert, 'utf8'), key: await readFile(tlsKey, 'utf8') }
}
