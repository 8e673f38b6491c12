// The parts of the Redis store that need no server: the line of deadlines, the server's clock, the start check, options.
import { redisStore } from 'countersign/stores/redis'
import { describe, expect, it } from 'vitest'
import { passesSoon, replyFault } from '../../src/stores/redis/faults.ts'
import { checkServer, parseInfo } from '../../src/stores/redis/server-check.ts'
import { Deadlines } from '../../src/stores/shared/deadlines.ts'
import { ServerClock } from '../../src/stores/shared/server-clock.ts'

/** A clock and timers that move when the test says so. */
function manual() {
  let [nowMs, wallMs, made] = [0, 1_795_000_000_000, 0]
  const due = new Map<number, { at: number; fn: () => void }>()
  return {
    clock: { nowMs: () => wallMs, monotonicMs: () => nowMs },
    timers: {
      setTimeout: (fn: () => void, ms: number) => {
        due.set(++made, { at: nowMs + ms, fn })
        return made
      },
      clearTimeout: (timer: unknown) => void due.delete(timer as number),
    },
    pending: () => due.size,
    made: () => made,
    setWall: (ms: number) => {
      wallMs = ms
    },
    /** Moves on without letting a timer fire. */
    stall: (ms: number) => {
      nowMs += ms
    },
    advance(ms: number) {
      const until = nowMs + ms
      for (;;) {
        const next = [...due].filter(([, timer]) => timer.at <= until).sort(([, a], [, b]) => a.at - b.at)[0]
        if (!next) break
        due.delete(next[0])
        nowMs = Math.max(nowMs, next[1].at)
        next[1].fn()
      }
      nowMs = Math.max(nowMs, until)
    },
  }
}

describe('deadlines', () => {
  const late = () => new Error('late')

  it('end each call at its own time, with one timer for all', async () => {
    const time = manual()
    const deadlines = new Deadlines(time, 1_000)
    const never = new Promise<never>(() => {})
    const ended: string[] = []
    const watch = (name: string) =>
      deadlines
        .within(never, () => {
          ended.push(`${name} ${time.clock.monotonicMs()}`)
          return late()
        })
        .catch((error: Error) => error.message)
    const a = watch('a')
    time.advance(300)
    const b = watch('b')
    const c = deadlines.within(Promise.resolve('in time'), late)
    expect(await c).toBe('in time')
    expect(time.pending()).toBe(1)
    time.advance(5_000)
    expect(await Promise.all([a, b])).toEqual(['late', 'late'])
    expect(ended).toEqual(['a 1000', 'b 1300'])
    expect(time.pending()).toBe(0)
  })

  it('make one timer for ten thousand calls that are answered', async () => {
    const time = manual()
    const deadlines = new Deadlines(time, 1_000)
    await Promise.all(Array.from({ length: 10_000 }, (_, n) => deadlines.within(Promise.resolve(n), late)))
    expect(time.made()).toBe(1)
    time.advance(2_000)
    expect([time.made(), time.pending()]).toEqual([1, 0])
  })

  it('let answers be read that came while the process stood still', async () => {
    const time = manual()
    const deadlines = new Deadlines(time, 1_000)
    let answer: (value: string) => void = () => {}
    const call = deadlines.within(new Promise<string>((resolve) => (answer = resolve)), late)
    time.stall(3_000)
    time.advance(0) // the timer fires, two seconds late
    answer('there all along')
    await new Promise(setImmediate)
    time.advance(10)
    expect(await call).toBe('there all along')
  })

  it('are waited for by idle()', async () => {
    const time = manual()
    const deadlines = new Deadlines(time, 1_000)
    const call = deadlines.within(new Promise<never>(() => {}), late).catch((error: Error) => error.message)
    let isIdle = false
    const idle = deadlines.idle().then(() => (isIdle = true))
    await Promise.resolve()
    expect(isIdle).toBe(false)
    time.advance(1_000)
    await idle
    expect(await call).toBe('late')
    expect(time.pending()).toBe(0)
  })
})

describe('server clock', () => {
  it('is the wall clock before the first answer, then the server time, by the middle of the round trip', () => {
    const time = manual()
    const clock = new ServerClock(time.clock)
    expect(clock.nowMs()).toBe(1_795_000_000_000)
    const asked = clock.ask()
    time.advance(10)
    clock.learn(2_000_000_000_000, asked)
    expect(clock.nowMs()).toBe(2_000_000_000_005)
    time.advance(1_000)
    time.setWall(0)
    expect(clock.nowMs()).toBe(2_000_000_001_005)
  })

  it('never goes back, keeps the better of two answers, and believes a contradiction', () => {
    const time = manual()
    const clock = new ServerClock(time.clock)
    const learn = (serverMs: number, tripMs: number) => {
      const asked = clock.ask()
      time.advance(tripMs)
      clock.learn(serverMs, asked)
    }
    learn(1_000_000, 2)
    expect(clock.nowMs()).toBe(1_000_001)
    // 900 ms on the way: half of it, 450 ms, would be wrong by far. It contradicts nothing, so it is not believed.
    learn(1_000_900, 900)
    expect(clock.nowMs()).toBe(1_000_901)
    // A suspension: the monotonic clock stood still for an hour.
    learn(4_600_901, 2)
    expect(clock.nowMs()).toBe(4_600_902)
    // Another server, ten seconds behind: time stands still until it has caught up.
    learn(4_590_902, 2)
    expect(clock.nowMs()).toBe(4_600_902)
    time.advance(11_000)
    expect(clock.nowMs()).toBe(4_601_903)
  })
})

describe('start check', () => {
  const facts = (info: Record<string, string>, config: Record<string, string> | null = {}) => ({
    info: new Map(Object.entries({ redis_version: '8.4.0', redis_mode: 'standalone', role: 'master', ...info })),
    config: config && new Map(Object.entries({ ...SAFE, ...config })),
  })
  const SAFE = {
    'maxmemory-policy': 'noeviction',
    appendonly: 'yes',
    appendfsync: 'always',
    'min-replicas-to-write': '0',
  }

  it('has nothing to say about a server that keeps every promise', () => {
    expect(checkServer(facts({}))).toMatchObject({
      warnings: [],
      advice: [],
      durability: 'fsynced',
      keepsAll: true,
    })
  })

  it.each([
    ['6.2.20', { redis_version: '6.2.20' }, 'is Redis 6.2.20; 7.0 or newer is needed'],
    ['no version', { redis_version: '' }, 'of unknown version'],
    ['a cluster node', { redis_mode: 'cluster' }, 'one node of a cluster'],
    ['a replica', { role: 'slave' }, 'is a replica'],
  ])('refuses %s', (_what, info, message) => {
    expect(() => checkServer(facts(info))).toThrow(
      expect.objectContaining({ code: 'ERR_STORE_MISCONFIGURED', message: expect.stringContaining(message) }),
    )
  })

  it.each<[string, Record<string, string>, Record<string, string> | null, string, string]>([
    ['eviction', {}, { 'maxmemory-policy': 'allkeys-lru' }, 'maxmemory-policy is allkeys-lru', 'promise 2'],
    ['no AOF', {}, { appendonly: 'no' }, 'appendonly is off', 'promise 3'],
    ['everysec', {}, { appendfsync: 'everysec' }, 'appendfsync is everysec', 'promises 3 and 4'],
    ['replicas without a minimum', { connected_slaves: '2' }, {}, 'min-replicas-to-write is 0', 'promises 2 and 3'],
    ['an old Redis', { redis_version: '7.2.10' }, {}, 'CVE-2025-49844', 'promise 7'],
    ['an old Valkey', { redis_version: '7.2.4', valkey_version: '8.1.3' }, {}, 'Valkey 8.1.3', 'promise 7'],
    ['a refused CONFIG GET', { aof_enabled: '1' }, null, 'CONFIG GET is refused', 'local'],
  ])('warns of %s and names the promise', (_what, info, config, says, promise) => {
    const { warnings } = checkServer(facts(info, config))
    expect(warnings).toEqual([expect.stringContaining(says)])
    expect(warnings[0]).toContain(promise)
  })

  it.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['a small tracking table', {}, { 'tracking-table-max-keys': '1000' }, 'tracking-table-max-keys is 1000'],
    [
      'unlimited buffers',
      {},
      { 'client-output-buffer-limit': 'normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60' },
      'client-output-buffer-limit normal is unlimited',
    ],
    [
      'a long split',
      { connected_slaves: '1' },
      { 'min-replicas-to-write': '1', 'min-replicas-max-lag': '10' },
      'min-replicas-max-lag is 10',
    ],
  ])('advises on %s, and warns of nothing', (_what, info, config, says) => {
    const { warnings, advice } = checkServer(facts(info, config))
    expect(warnings).toEqual([])
    expect(advice).toEqual([expect.stringContaining(says)])
  })

  it('says what is left on the disk without an append-only file', () => {
    const [nothing] = checkServer(facts({}, { appendonly: 'no', save: '' })).warnings
    expect(nothing).toMatch(/^appendonly is off: .* and save is empty: everything is lost$/)
    const [snapshot] = checkServer(facts({}, { appendonly: 'no', save: '3600 1' })).warnings
    expect(snapshot).toMatch(/^appendonly is off: .* to the last save \(3600 1\)$/)
  })

  it.each([
    ['7.0.15', 'yes', false],
    ['7.2.11', 'yes', true],
    ['8.2.2', 'no', false],
  ])('knows whether Redis %s with appendonly %s can wait for its disk', (redis_version, appendonly, can) => {
    expect(checkServer(facts({ redis_version }, { appendonly })).hasWaitAof).toBe(can)
  })

  it('calls writes fsynced only when that is proven', () => {
    expect(checkServer(facts({ aof_enabled: '1' }, null)).durability).toBe('local')
    expect(checkServer(facts({}, { appendfsync: 'everysec' })).durability).toBe('local')
    expect(checkServer(facts({}, { appendonly: 'no' })).durability).toBe('local')
  })

  it.each(['7.2.11', '7.4.6', '8.0.4', '8.2.2', '8.4.0', '9.0.0'])('knows that Redis %s has the fix', (version) => {
    expect(checkServer(facts({ redis_version: version })).warnings).toEqual([])
  })

  it('reads INFO as it is', () => {
    expect(parseInfo('# Server\r\nredis_version:7.0.15\r\nos:a:b\r\n\r\n')).toEqual(
      new Map([
        ['redis_version', '7.0.15'],
        ['os', 'a:b'],
      ]),
    )
  })
})

describe('error replies', () => {
  it.each(['TRYAGAIN', 'CLUSTERDOWN', 'LOADING', 'READONLY', 'MASTERDOWN', 'NOREPLICAS', 'BUSY'])(
    '%s passes: nothing was executed',
    (word) => {
      const reply = new Error(`${word} something`)
      expect(passesSoon(reply)).toBe(true)
      expect(replyFault(reply)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true, store: 'redis' })
    },
  )
  it.each(['OOM', 'MISCONF'])('%s does not pass soon, and nothing was executed', (word) => {
    const reply = new Error(`${word} something`)
    expect(passesSoon(reply)).toBe(false)
    expect(replyFault(reply)).toMatchObject({ code: 'ERR_STORE_UNAVAILABLE', retryable: true })
  })
  it.each([
    ['WRONGTYPE Operation', 'ERR_STORE_CORRUPT'],
    ['CSCORRUPT stored', 'ERR_STORE_CORRUPT'],
    ['NOPERM no', 'ERR_STORE_MISCONFIGURED'],
    ['WRONGPASS no', 'ERR_STORE_MISCONFIGURED'],
    ['MOVED 1 host:1', 'ERR_STORE_MISCONFIGURED'],
    ["ERR unknown command 'EVALSHA', with args beginning with: 'canary'", 'ERR_STORE_MISCONFIGURED'],
    ['ERR user_script:7: canary', 'ERR_STORE_UNAVAILABLE'],
  ])('%s is %s, not retryable, and not quoted', (message, code) => {
    const fault = replyFault(new Error(message))
    expect(fault).toMatchObject({ code })
    expect(fault.retryable).toBeUndefined()
    expect(`${fault.message} ${fault.cause}`).not.toContain('canary')
  })
})

describe('options', () => {
  const url = 'redis://user:canary@host:6379/1'
  it.each([
    ['"url"', {}],
    ['"url"', { url: undefined }],
    ['"url"', { url: 'http://user:canary@host' }],
    ['"url"', { url: 'canary' }],
    ['"url"', { url: 'redis://user:canary@host/db' }],
    ['"deadline"', { url, deadline: 2_000 }],
    ['"deadline"', { url, deadline: '1ms' }],
    ['"prefix"', { url, prefix: 'a{b}' }],
    ['"prefix"', { url, prefix: '' }],
    ['"client"', { url, client: {} }],
    ['"urls"', { url, urls: [] }],
  ])('%s is refused by name, without its value: %j', (name, options) => {
    const error = thrown(() => redisStore(options as never))
    expect(error).toMatchObject({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(name) })
    expect(String(error)).not.toContain('canary')
  })

  it('connects to nothing before ready', async () => {
    const store = redisStore({ url })
    expect(store.lifecycle.health().up).toBe(false)
    await expect(store.sessions.read('x'.repeat(34) as never)).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      retryable: true,
    })
    await store.lifecycle.close()
  })
})

function thrown(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  return undefined
}
