import { allowlist, CountersignError, createSessions, generateKeyring, loadKeyring, opaque } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { redisStore } from 'countersign/stores/redis'
import type { FieldName, Settings } from './fields.ts'

/**
 * Tries each setting that the library judges on the library itself, one at a time, so that every problem is found and
 * no rule is written down twice.
 */
export async function probe(settings: Partial<Settings>): Promise<ReadonlyMap<FieldName, string>> {
  const problems = new Map<FieldName, string>()
  const attempt = (name: FieldName, make: () => unknown) => {
    if (settings[name] === undefined) return
    try {
      make()
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error
      // The library's message names its own option in quotes; here the setting is named in front. Of a store that is a
      // part of the setting.
      problems.set(name, name === 'store' ? error.message : error.message.replace(/^"[^"]*" /, ''))
    }
  }

  const { accessLifetime, refreshLifetime, grace, audience, idle, absolute, roles, store } = settings
  // Nothing connects before it is asked for.
  if (store?.kind === 'redis-cluster' || store?.kind === 'redis-sentinel') {
    const { kind: _kind, ...options } = store
    attempt('store', () => redisStore(options))
  }
  const base = { issuer: 'probe', audience: 'probe' }
  attempt('audience', () => allowlist({ ...base, audience: audience! }))
  attempt('accessLifetime', () => allowlist({ ...base, accessLifetime: accessLifetime! }))
  attempt('refreshLifetime', () => allowlist({ ...base, refreshLifetime: refreshLifetime! }))
  attempt('grace', () => allowlist({ ...base, grace: grace! }))

  const common = {
    strategy: opaque(),
    store: memoryStore(),
    keyring: await loadKeyring(generateKeyring({ signing: [] })),
  }
  attempt('absolute', () => createSessions({ ...common, timeouts: { absolute: absolute! } }))
  // Against the longest absolute timeout first, so that a wrong `absolute` is not reported twice.
  attempt('idle', () => createSessions({ ...common, timeouts: { absolute: '400d', idle: idle! } }))
  if (!problems.has('absolute') && !problems.has('idle')) {
    attempt('idle', () => createSessions({ ...common, timeouts: { absolute: absolute!, idle: idle! } }))
  }
  attempt('roles', () => createSessions({ ...common, timeouts: { absolute: '1d' }, roles: roles! }))
  return problems
}
