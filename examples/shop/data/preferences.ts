import type { ShopCluster } from './cluster.ts'

export const LANGUAGES = ['en', 'zh-CN'] as const
export const SCHEMES = ['light', 'dark'] as const
export interface Preferences {
  readonly language?: (typeof LANGUAGES)[number]
  readonly scheme?: (typeof SCHEMES)[number]
}

const keyOf = (subject: string) => `shop:{${subject}}:preferences`

export type PreferenceStore = ReturnType<typeof createPreferences>

/** Of the account, not of the session: what is set on one device holds on all. */
export function createPreferences({ cluster, ask }: ShopCluster) {
  return {
    read: (subject: string): Promise<Preferences> => ask(cluster.hgetall(keyOf(subject))),
    async set(subject: string, wanted: Preferences): Promise<void> {
      if (Object.keys(wanted).length > 0) await ask(cluster.hset(keyOf(subject), { ...wanted }))
    },
  }
}
