// What the whole page shares: the catalogue, the language, the cart, and what the server tells.
import { useMantineColorScheme } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react'
import { json, type ShopInfo, untilKnown } from './api.ts'
import { useLive } from './live.ts'
import { type Language, type Say, sayIn } from './messages.ts'

interface Cart {
  readonly items: Readonly<Record<string, number>>
  readonly merged: number
}
interface Shop extends ShopInfo {
  readonly cart: Cart
  readonly say: Say
  readonly language: Language
  readonly scheme: 'light' | 'dark'
  /** A change of the cart whose outcome nobody knows. */
  readonly cartUnknown: boolean
  /** Why the session behind this page ended, where its token goes on being accepted. */
  readonly over: string | undefined
  /** Counts what others changed, for parts that read something of their own. */
  readonly changes: number
  /** How safe the session was when it was opened, as the server said. */
  readonly durability: string | undefined
  entered(durability: string | undefined): void
  change(article: string, change: number): Promise<void>
  readCart(): Promise<void>
  prefer(wanted: { language?: Language; scheme?: 'light' | 'dark' }): Promise<void>
}
const Context = createContext<Shop | undefined>(undefined)
export const useShop = (): Shop => useContext(Context)!

const firstLanguage = (): Language => (navigator.language.startsWith('zh') ? 'zh-CN' : 'en')

export function ShopProvider({ info, children }: { info: ShopInfo; children: ReactNode }) {
  const state = useSession()
  const { authFetch } = state
  const isIn = state.status === 'signed_in'
  const [cart, setCart] = useState<Cart>({ items: {}, merged: 0 })
  const [cartUnknown, setCartUnknown] = useState(false)
  const [language, setLanguage] = useState(firstLanguage)
  const [scheme, setScheme] = useState<'light' | 'dark'>('light')
  const [over, setOver] = useState<string>()
  const [changes, setChanges] = useState(0)
  const [durability, entered] = useState<string>()
  const { setColorScheme } = useMantineColorScheme()

  useEffect(() => setColorScheme(scheme), [scheme, setColorScheme])
  useEffect(() => {
    document.documentElement.lang = language
  }, [language])

  const readCart = useCallback(async () => {
    const response = await authFetch('/cart').catch(() => undefined)
    if (!response?.ok) return
    const { items, merged } = (await response.json()) as Cart
    setCart((before) => ({ items, merged: merged || before.merged }))
  }, [authFetch])

  const taken = useCallback(({ language, scheme }: { language?: Language; scheme?: 'light' | 'dark' }) => {
    if (language) setLanguage(language)
    if (scheme) setScheme(scheme)
  }, [])
  const readPreferences = useCallback(async () => {
    const response = await authFetch('/api/preferences').catch(() => undefined)
    if (response?.ok) taken(await response.json())
  }, [authFetch, taken])

  // As soon as it is known whose cart it is. Reading it after a login is what moves the guest's into it.
  useEffect(() => {
    if (state.status === 'unknown') return
    setOver(undefined)
    setCart({ items: {}, merged: 0 })
    void readCart()
  }, [state.status, readCart])

  useLive({
    changed(what) {
      setChanges((count) => count + 1)
      if (what === 'cart' || what === 'everything') void readCart()
      if (what === 'preferences' || what === 'everything') void readPreferences()
    },
    over: setOver,
  })

  const change = useCallback(
    async (article: string, change: number) => {
      const body = { article, change, operation: crypto.randomUUID() }
      const response = await untilKnown(authFetch, '/cart/items', json('POST', body), () => setCartUnknown(true))
      setCartUnknown(false)
      if (response.ok) setCart({ items: (await response.json()).items, merged: 0 })
      else await readCart()
    },
    [authFetch, readCart],
  )
  const prefer = useCallback(
    async (wanted: { language?: Language; scheme?: 'light' | 'dark' }) => {
      taken(wanted)
      if (isIn) await authFetch('/api/preferences', json('PUT', wanted)).catch(() => undefined)
    },
    [authFetch, isIn, taken],
  )
  const value = useMemo(() => {
    const known = { cart, language, scheme, cartUnknown, over, changes, durability }
    return { ...info, ...known, say: sayIn(language), change, readCart, prefer, entered }
  }, [info, cart, language, scheme, cartUnknown, over, changes, durability, change, readCart, prefer])
  return <Context value={value}>{children}</Context>
}
