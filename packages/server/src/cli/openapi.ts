import { Command } from 'commander'
import { print } from './output.ts'

export function openApiCommand(): Command {
  return new Command('openapi')
    .description('print the OpenAPI description of the HTTP API as JSON')
    .action(async () => {
      const { describeApi } = await import('../describe-api.ts')
      print(true, await describeApi(), [])
    })
}
