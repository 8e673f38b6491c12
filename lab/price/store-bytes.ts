// What a store takes, by its own word.
import { statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { command } from '../../tools/test-support/redis-command.ts'
import type { RowServers, Run } from '../ask/row-servers.ts'
import type { Row } from '../rows.ts'

/** `undefined` where nothing is kept. */
export async function storeBytes({ places }: Run, row: Row, { issuer }: RowServers): Promise<number | undefined> {
  switch (row.store) {
    case 'none':
      return undefined
    case 'memory':
      return (await issuer.get('/memory', '', 30_000)).body.bytes
    case 'sqlite': {
      // The pages that were written lie in the journal until they are moved into the file.
      const { file } = (await issuer.get('/file', '', 30_000)).body
      return statSync(file!).size
    }
    case 'redis':
      return usedMemory([(await places.redis()).url])
    case 'redis-cluster': {
      const cluster = await places.cluster()
      await cluster.settle()
      const primaries: string[] = []
      for (const { url } of cluster.nodes)
        if (/role:master/.test(String(await command(url, 'INFO', 'replication')))) primaries.push(url)
      return usedMemory(primaries)
    }
    case 'postgres': {
      const postgres = await places.postgres()
      const [size] = await postgres.query('select pg_database_size(current_database())::float8 as bytes')
      return Number(size!.bytes)
    }
  }
}

/** Without what connections and replicas take for a moment. */
async function usedMemory(urls: readonly string[]): Promise<number> {
  await sleep(300)
  let sum = 0
  for (const url of urls)
    sum += Number(/^used_memory_dataset:(\d+)/m.exec(String(await command(url, 'INFO', 'memory')))?.[1])
  return sum
}
