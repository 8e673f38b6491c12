import { pino } from 'pino'
import { buildApp } from './app.ts'
import { resolveConfig } from './config/resolve.ts'
import { issuerOf, openService } from './service.ts'

/** The schemas that validate requests, as one document. Opens nothing but a store in memory. */
export async function describeApi(): Promise<unknown> {
  const config = await resolveConfig({ flags: { store: 'memory' }, env: {} })
  const service = await openService(config)
  try {
    const app = await buildApp(
      { ...service, log: pino({ level: 'silent' }) },
      { strategy: config.strategy, issuer: issuerOf(config), origins: () => [], overHttps: false, trustedProxies: [] },
    )
    await app.ready()
    const document = app.swagger()
    await app.close()
    return document
  } finally {
    await service.close()
  }
}
