// Notes every connection that this process opens, whatever opens it.
import { Socket } from 'node:net'

export interface Tripwire {
  /** Where connections were opened to, but for the allowed port. */
  readonly seen: readonly string[]
  stop(): void
}

export function tripwire(allowedPort: number): Tripwire {
  const seen: string[] = []
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (this: Socket, ...args: any[]) {
    // `net.connect` hands over its normalised arguments as one array.
    const options = Array.isArray(args[0]) ? args[0][0] : args[0]
    const { host = 'localhost', port, path } = typeof options === 'object' ? options : { port: args[0], host: args[1] }
    if (Number(port) !== allowedPort) seen.push(path ?? `${host}:${port}`)
    return connect.apply(this, args as never)
  } as typeof connect
  return { seen, stop: () => Object.assign(Socket.prototype, { connect }) }
}
