import { invalidOption } from '../../internal/errors.ts'

/** The part of a client of `ioredis` (5.9 or newer) that is used: `Redis`, or `Cluster` with its `nodes`. */
export interface IoredisClient {
  readonly status: string
  readonly options: object
  callBuffer(command: string, ...args: (string | Buffer)[]): Promise<unknown>
  connect(): Promise<unknown>
  on(event: string, listener: () => void): unknown
  nodes?(role: 'master'): readonly IoredisClient[]
}

export function isIoredis(client: unknown): client is IoredisClient {
  const { callBuffer, status, connect } = (client ?? {}) as Partial<IoredisClient>
  return typeof callBuffer === 'function' && typeof connect === 'function' && typeof status === 'string'
}

interface Options {
  readonly autoResendUnfulfilledCommands?: boolean
  readonly retryDelayOnFailover?: number
  readonly clusterNodeRetryStrategy?: unknown
  readonly redisOptions?: Options
  readonly scaleReads?: unknown
  readonly role?: string
  readonly stringNumbers?: boolean
  readonly sentinels?: unknown
  readonly enableAutoPipelining?: boolean
}

/**
 * Refuses settings with which the answers of the store would be wrong. By default ioredis sends again whatever it has got
 * no answer to when a connection breaks: an update could then be made twice.
 */
export function checkIoredis(client: IoredisClient): 'single' | 'cluster' | 'sentinel' {
  const options = client.options as Options
  const isCluster = typeof client.nodes === 'function'
  const refuse = (setting: string, why: string) => invalidOption('client', `must be made with ${setting}: ${why}`)
  const twice = 'a write whose answer was lost would be made a second time'
  const each = isCluster ? (options.redisOptions ?? {}) : options
  if (isCluster) {
    if (options.retryDelayOnFailover !== 0) throw refuse('retryDelayOnFailover: 0', twice)
    if (options.clusterNodeRetryStrategy && each.autoResendUnfulfilledCommands !== false)
      throw refuse('redisOptions.autoResendUnfulfilledCommands: false', twice)
    if ((options.scaleReads ?? 'master') !== 'master')
      throw refuse("scaleReads: 'master'", 'a replica does not know yet what was revoked')
  } else if (options.autoResendUnfulfilledCommands !== false) {
    throw refuse('autoResendUnfulfilledCommands: false', twice)
  }
  if (each.role === 'slave') throw refuse("role: 'master'", 'a replica does not know yet what was revoked')
  if (each.stringNumbers || options.stringNumbers)
    throw refuse('stringNumbers: false', 'the answers of scripts are numbers')
  if (each.enableAutoPipelining || options.enableAutoPipelining)
    throw refuse(
      'enableAutoPipelining: false',
      'with it ioredis 6 throws outside of the call when it is given a command by name',
    )
  if (isCluster) return 'cluster'
  return options.sentinels ? 'sentinel' : 'single'
}
