import { Command } from 'commander'
import { pino } from 'pino'
import { buildApp } from '../app.ts'
import { resolveConfig } from '../config/resolve.ts'
import { openService } from '../service.ts'
import { print } from './output.ts'

export function openApiCommand(): Command {
  return new Command('openapi')
    .description('print the OpenAPI description of the HTTP API as JSON')
    .action(async () => {
      print(true, await describeApi(), [])
    })
}

/** The schemas that validate requests, as one document. Opens nothing but a store in memory. */
export async function describeApi(): Promise<unknown> {
  const config = await resolveConfig({ flags: { store: 'memory' }, env: {} })
  const service = await openService(config)
  try {
    const app = await buildApp(
      { ...service, log: pino({ level: 'silent' }) },
      { strategy: config.strategy, origins: () => [], overHttps: false, trustedProxies: [] },
    )
    await app.ready()
    const document = app.swagger()
    await app.close()
    return document
  } finally {
    await service.close()
  }
}
