// Opens a store of ours, and counts what is asked of it.
import type { Store } from 'countersign'
import { memoryStore } from 'countersign/stores/memory'
import { postgresStore } from 'countersign/stores/postgres'
import { redisStore } from 'countersign/stores/redis'
import { sqliteStore } from 'countersign/stores/sqlite'
import type { StoreAt } from './told.ts'

export function openStore({ kind, urls }: StoreAt, prefix: string): Store {
  switch (kind) {
    case 'memory':
      return memoryStore()
    case 'sqlite':
      return sqliteStore({ file: urls[0]! })
    case 'redis':
      return redisStore({ url: urls[0]!, prefix })
    case 'redis-cluster':
      return redisStore({ nodes: urls.slice(0, 3), prefix })
    case 'postgres':
      return postgresStore({ url: urls[0]! })
  }
}

/** What a request may read, and what it writes in the background. Each is one round trip. */
const COUNTED = ['sessions', 'revocations'] as const

/** The store, and how often its methods were called. */
export function counted(store: Store): { readonly store: Store; readonly calls: Record<string, number> } {
  const calls: Record<string, number> = {}
  const counting = (part: string, methods: object) =>
    new Proxy(methods, {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          const key = `${part}.${String(name)}`
          calls[key] = (calls[key] ?? 0) + 1
          return value.apply(target, given)
        }
      },
    })
  const parts = COUNTED.flatMap((part) => (store[part] ? [[part, counting(part, store[part])]] : []))
  const more = Object.fromEntries(parts)
  const wrapped = new Proxy(store, {
    get(target, name) {
      if (typeof name === 'string' && Object.hasOwn(more, name)) return more[name]
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { store: wrapped, calls }
}
