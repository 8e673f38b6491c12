/** Callers without types, and callers in a hurry: every wrong argument is one typed fault that names it and not its value. */
import {
  allowlist,
  createSessions,
  denylist,
  generateKeyring,
  type Keyring,
  loadKeyring,
  opaque,
  stateless,
} from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

let keyring: Keyring
let sessions: any
let id: string
const CANARY = 'canary-value-that-must-not-be-repeated'
beforeAll(async () => {
  keyring = await loadKeyring(generateKeyring())
  sessions = createSessions({
    strategy: allowlist({ issuer: 'i', audience: ['a', 'b'] }),
    keyring,
    store: memoryStore(),
    timeouts: { absolute: '1d' },
    roles: ['user'],
    data: z.object({ n: z.number() }),
  })
  const issued = await sessions.issue({ subject: 'u', data: { n: 1 } })
  id = issued.session.sessionId
})
afterAll(() => sessions.close())

const issue = (more: object) => () => sessions.issue({ subject: 'u', data: { n: 1 }, ...more })

describe('arguments of calls', () => {
  test.each<[string, () => unknown, string]>([
    ['nothing to issue', () => sessions.issue(), 'issue'],
    ['a misspelt ifEpoch', issue({ ifepoch: 1 }), 'ifepoch'],
    ['what authenticate answered, unread', issue({ ok: true, epoch: 1 }), 'issue.ok'],
    ['an epoch that is none', issue({ ifEpoch: CANARY }), 'ifEpoch'],
    ['no subject', () => sessions.issue({ data: { n: 1 } }), 'subject'],
    ['an empty tenant', issue({ tenant: '' }), 'tenant'],
    ['an unknown role', issue({ roles: [CANARY] }), 'roles'],
    ['roles that are no list', issue({ roles: 'user' }), 'roles'],
    ['an unknown level', issue({ acr: CANARY }), 'acr'],
    ['methods that are no list', issue({ amr: 'pwd' }), 'amr'],
    ['a device without id', issue({ device: { label: CANARY } }), 'device.id'],
    ['a delivery that there is not', issue({ delivery: CANARY }), 'delivery'],
    ['no audience', issue({ audience: [] }), 'audience'],
    ['somebody else’s audience', issue({ audience: CANARY }), 'audience'],
    ['a login in the future', issue({ authTimeMs: Date.now() + 1e9 }), 'authTimeMs'],
    ['a token for an id', () => sessions.get('csr_x'), 'id'],
    ['an object for an id', () => sessions.revoke({ $ne: null }, { reason: 'logout' }), 'id'],
    ['revoke without options', () => sessions.revoke(id), 'options'],
    ['revoke without reason', () => sessions.revoke(id, {}), 'reason'],
    ['revokeAll without options', () => sessions.revokeAll('u'), 'options'],
    ['revokeEveryone without options', () => sessions.revokeEveryone(), 'options'],
    ['a jti where there is no denylist', () => sessions.revoke(id, { reason: 'logout', jti: 'x' }), 'jti'],
    ['a step-up without proof', () => sessions.stepUp(id), 'proof'],
    ['a step-up without methods', () => sessions.stepUp(id, { acr: 'aal2' }), 'amr'],
    ['a maxAge without unit', () => verified({ maxAge: CANARY }), 'maxAge'],
    ['a level that there is not', () => verified({ acr: CANARY }), 'acr'],
    ['demanded roles that are no list', () => verified({ roles: 'admin' }), 'roles'],
    ['a number to explain', () => sessions.explain(123), 'tokenOrId'],
    [
      'an operation id that is too long',
      () => sessions.update(id, (d: unknown) => d, { operationId: 'x'.repeat(65) }),
      'operationId',
    ],
  ])('%s', async (_, call, name) => {
    const error = await Promise.resolve()
      .then(call)
      .then(
        () => undefined,
        (thrown) => thrown,
      )
    expect(error).toMatchObject({ name: 'CountersignError', code: 'ERR_INPUT_INVALID' })
    expect(error.message).toContain(name)
    expect(error.message).not.toContain(CANARY)
  })

  test('tokens of any type are refused, never thrown', async () => {
    for (const token of [undefined, null, 1, {}, [], '\0', 'x'.repeat(1e6)]) {
      expect(await sessions.verify(token)).toMatchObject({ ok: false })
      expect(await sessions.refresh(token)).toMatchObject({ ok: false })
    }
  })

  test('a context of any shape reaches events cut, and never ends a call', async () => {
    const seen: any[] = []
    const off = sessions.events.on('session_created', (event: any) => seen.push(event))
    const context = { ip: 7, userAgent: 'x'.repeat(100_000), requestId: '', by: null, secret: CANARY }
    expect((await issue({ context })()).ok).toBe(true)
    off()
    expect(seen[0].context).toEqual({ userAgent: 'x'.repeat(256) })
  })

  async function verified(demands: object) {
    const issued = await sessions.issue({ subject: 'u', data: { n: 1 } })
    return sessions.verify(issued.accessToken, demands)
  }
})

describe('options', () => {
  const jwt = { issuer: 'i', audience: 'a' }
  const make = (more: object) => () =>
    createSessions({
      strategy: opaque(),
      keyring,
      store: memoryStore(),
      timeouts: { absolute: '1d' },
      ...more,
    } as never)
  test.each<[string, () => unknown, string]>([
    ['a misspelt option', make({ timeout: '1d' }), 'createSessions.timeout'],
    ['no strategy', make({ strategy: {} }), 'strategy'],
    ['no keyring', make({ keyring: {} }), 'keyring'],
    ['no store', make({ store: undefined }), 'store.sessions'],
    ['a store that lacks a part', make({ strategy: denylist(jwt), store: { sessions: {} } }), 'store.revocations'],
    ['no sessions at all', make({ limits: { perSubject: 0, overflow: 'reject' } }), 'limits.perSubject'],
    ['too many sessions', make({ limits: { perSubject: 1_001, overflow: 'reject' } }), 'limits.perSubject'],
    ['an overflow that there is not', make({ limits: { perSubject: 1, overflow: 'drop' } }), 'limits.overflow'],
    ['a role name with a comma', make({ roles: ['a,b'] }), 'roles'],
    ['a level twice', make({ acrLevels: ['a', 'a'] }), 'acrLevels'],
    ['a schema that is none', make({ data: {} }), 'data'],
    ['a near cache that is switched on', make({ nearCache: true }), 'nearCache'],
    ['a misspelt option of it', make({ nearCache: { maxstale: '1s' } }), 'nearCache.maxstale'],
    ['copies that would break promise 2', make({ nearCache: { maxStale: '1.001s' } }), 'nearCache.maxStale'],
    ['copies that could hardly be used', make({ nearCache: { maxStale: '0.299s' } }), 'nearCache.maxStale'],
    ['a number without a unit', make({ nearCache: { maxStale: 1_000 } }), 'nearCache.maxStale'],
    ['entries without end', make({ nearCache: { maxEntries: Number.POSITIVE_INFINITY } }), 'nearCache.maxEntries'],
    ['half a byte', make({ nearCache: { maxBytes: 0.5 } }), 'nearCache.maxBytes'],
    [
      'an idle timeout no access token survives',
      make({ strategy: denylist(jwt), timeouts: { absolute: '1d', idle: '10m' } }),
      'timeouts.idle',
    ],
    ['no issuer', () => allowlist({ audience: 'a' } as never), 'allowlist.issuer'],
    ['no audience', () => allowlist({ issuer: 'i' } as never), 'allowlist.audience'],
    [
      'a misspelt strategy option',
      () => allowlist({ ...jwt, acessLifetime: '1m' } as never),
      'allowlist.acessLifetime',
    ],
    ['an algorithm that we do not ship', () => allowlist({ ...jwt, alg: 'none' } as never), 'allowlist.alg'],
    ['a grace that is a window', () => allowlist({ ...jwt, grace: '61s' }), 'allowlist.grace'],
  ])('%s', (_, call, name) => {
    expect(call).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_INVALID', message: expect.stringContaining(`"${name}"`) }),
    )
  })

  test('a long access token without a reason is unsafe where it is also how long a logout takes', () => {
    expect(() => stateless({ ...jwt, accessLifetime: '16m' })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_UNSAFE' }),
    )
    expect(() => stateless({ ...jwt, accessLifetime: '16m', longAccessLifetimeBecause: 'batch jobs' })).not.toThrow()
  })
})

test('watching ends with a fault when the sessions are closed', async () => {
  const own = createSessions({ strategy: opaque(), keyring, store: memoryStore(), timeouts: { absolute: '1d' } })
  const issued = await own.issue({ subject: 'u' })
  if (!issued.ok) throw new Error(issued.reason)
  const watching = own.watch([issued.session.sessionId], new AbortController().signal)[Symbol.asyncIterator]().next()
  await own.close()
  await expect(watching).rejects.toMatchObject({ code: 'ERR_CLOSED' })
})

test('a listener that throws or rejects ends nothing', async () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const off = [
    sessions.events.on('session_created', () => {
      throw new Error(CANARY)
    }),
    sessions.events.on('*', async () => {
      throw new TypeError(CANARY)
    }),
  ]
  expect((await sessions.issue({ subject: 'u', data: { n: 1 } })).ok).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 5))
  for (const one of off) one()
  const messages = warned.mock.calls.map(([message]) => String(message))
  warned.mockRestore()
  expect(messages).toEqual([
    'a listener for session_created failed: Error',
    'a listener for session_created failed: TypeError',
  ])
})

test('an event about a true token says whose it was', async () => {
  const events: any[] = []
  const off = sessions.events.on('session_refused', (event: any) => events.push(event))
  const issued = await sessions.issue({ subject: 'u', tenant: 't', data: { n: 1 } })
  await sessions.revoke(issued.session.sessionId, { reason: 'logout' })
  await sessions.verify(issued.accessToken)
  await sessions.verify(`${issued.accessToken.slice(0, -8)}AAAAAAAA`)
  off()
  expect(events[0]).toMatchObject({ reason: 'ended', sessionId: issued.session.sessionId, subject: 'u', tenant: 't' })
  expect(events[1]).toMatchObject({ reason: 'bad_signature' })
  expect(events[1]).not.toHaveProperty('subject')
})
