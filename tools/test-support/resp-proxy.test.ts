import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from './redis-server.ts'
import { encode, RequestParser } from './resp.ts'
import { type RespProxy, startRespProxy } from './resp-proxy.ts'

const script = 'return ARGV[1]'
const sha1 = createHash('sha1').update(script).digest('hex')
let redis: RedisServer
let proxy: RespProxy
const closers: (() => void)[] = []

beforeAll(async () => {
  redis = await startRedis({ requirepass: 'secret' })
  proxy = await startRespProxy({ target: redis.url, scripts: new Map([[sha1, 'echo-value']]) })
})
afterEach(() => {
  proxy.resume()
  for (const close of closers.splice(0)) close()
})
afterAll(async () => {
  await proxy.stop()
  await redis.stop()
})

async function connectClient(reconnect = false) {
  const client = createClient({ url: proxy.url, socket: { reconnectStrategy: reconnect ? 10 : false } })
  client.on('error', () => {})
  await client.connect()
  closers.push(() => client.destroy())
  return client
}

describe('startRespProxy', () => {
  it('counts commands and scripts, in sum and per connection', async () => {
    const [a, b] = [await connectClient(), await connectClient()]
    proxy.reset()
    await a.set('k', 'v')
    await b.get('k')
    await b.scriptLoad(script)
    await Promise.all([b.evalSha(sha1, { arguments: ['1'] }), b.eval(script, { arguments: ['2'] })])
    const counts = proxy.counts()
    expect(counts.commands).toEqual({ SET: 1, GET: 1, 'SCRIPT|LOAD': 1, EVALSHA: 1, EVAL: 1 })
    expect(counts.scripts).toEqual({ 'echo-value': 2 })
    expect(counts.total).toBe(5)
    expect(counts.connections.map((connection) => connection.total)).toEqual([1, 4])
    proxy.reset()
    expect(proxy.counts().total).toBe(0)
  })

  it('breaks in the middle of an answer, once', async () => {
    const client = await connectClient(true)
    await client.set('k', 'value')
    // `$5\r\nvalue\r\n` is 11 bytes; the client does not wait for the last two.
    for (const bytes of [0, 1, 6, 8]) {
      proxy.cutAfter(bytes)
      await expect(client.get('k')).rejects.toThrow()
      await expect.poll(() => client.get('k').catch(() => undefined)).toBe('value')
    }
    proxy.cutAfter(11)
    expect(await client.get('k')).toBe('value')
    await expect(client.get('k')).rejects.toThrow()
  })

  it('passes large and binary values through unchanged', async () => {
    const client = await connectClient()
    const value = Buffer.alloc(3_000_000, '\r\n*1\r\n$4\r\nPING\r\n').toString('latin1')
    proxy.reset()
    await Promise.all([client.set('big', value), client.ping()])
    expect(await client.get('big')).toBe(value)
    expect(proxy.counts().commands).toEqual({ SET: 1, PING: 1, GET: 1 })
  })

  it('cut breaks connections, and a new one works', async () => {
    const client = await connectClient(true)
    const reconnected = new Promise((resolve) => client.once('ready', resolve))
    proxy.cut()
    await reconnected
    expect(await client.ping()).toBe('PONG')
  })

  it('pause is silence, resume delivers what was held back', async () => {
    const client = await connectClient()
    await client.set('n', '1')
    proxy.pause()
    const answer = client.incr('n')
    expect(await Promise.race([answer, sleep(150, 'silence')])).toBe('silence')
    proxy.resume()
    expect(await answer).toBe(2)
  })

  it('pause(answers) lets Redis do the work, and cut then loses the answer', async () => {
    const [client, other] = [await connectClient(), createClient({ url: redis.url })]
    await other.connect()
    closers.push(() => other.destroy())
    await client.set('n', '1')
    proxy.pause('answers')
    const answer = client.incr('n').catch((error: Error) => error)
    await expect.poll(() => other.get('n')).toBe('2')
    proxy.cut()
    expect(await answer).toBeInstanceOf(Error)
  })

  it('pause and inject can be about one connection', async () => {
    const own = await startRespProxy({ target: redis.url })
    const [one, two] = [createClient({ url: own.url }), createClient({ url: own.url })]
    closers.push(
      () => one.destroy(),
      () => two.destroy(),
      () => void own.stop(),
    )
    await one.connect()
    await two.connect()
    own.pause('both', 0)
    const answer = one.ping()
    expect(await two.ping()).toBe('PONG')
    expect(await Promise.race([answer, sleep(150, 'silence')])).toBe('silence')
    own.resume()
    expect(await answer).toBe('PONG')
    // A client that gets an answer to what it never asked throws where nobody can catch it.
    own.pause('answers', 0)
    own.inject(0, ['SET', 'injected', 'yes'])
    await expect.poll(() => two.get('injected')).toBe('yes')
  })

  it('keeps a new connection waiting while paused', async () => {
    proxy.pause()
    const connecting = connectClient()
    expect(await Promise.race([connecting, sleep(150, 'silence')])).toBe('silence')
    proxy.resume()
    expect(await (await connecting).ping()).toBe('PONG')
  })
})

describe('RequestParser', () => {
  it('finds the same requests however the bytes are cut', () => {
    const bytes = Buffer.from(`${encode(['SET', 'é', ''])}PING inline\r\n${encode(['GET', '\r\n$1'])}`)
    for (let size = 1; size <= bytes.length; size++) {
      const seen: string[][] = []
      const parser = new RequestParser((words) => seen.push(words.map(String)))
      for (let at = 0; at < bytes.length; at += size) parser.push(bytes.subarray(at, at + size))
      expect(seen).toEqual([
        ['SET', 'é', ''],
        ['PING', 'inline'],
        ['GET', '\r\n$1'],
      ])
    }
  })
})
