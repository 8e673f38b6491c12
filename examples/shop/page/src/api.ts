import type { SessionClient } from 'countersign/browser'

export type AuthFetch = SessionClient['authFetch']
export interface Article {
  readonly id: string
  readonly en: string
  readonly zh: string
  readonly cents: number
  readonly hue: number
}
export interface ShopInfo {
  readonly strategy: string
  readonly catalogue: readonly Article[]
  readonly deviceLimit: number
  readonly freshFor: string
}
export interface Order {
  readonly id: string
  readonly at: number
  readonly items: Readonly<Record<string, number>>
  readonly sent?: boolean
}

/** An unsafe request with a JSON body. */
export const json = (method: 'POST' | 'PUT' | 'DELETE', body?: object): RequestInit => ({
  method,
  ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
})

/** No answer, or 5xx: it may have happened. Asked again with the same body until somebody knows. */
export async function untilKnown(
  authFetch: AuthFetch,
  path: string,
  init: RequestInit,
  onUnknown: () => void,
): Promise<Response> {
  for (;;) {
    const response = await authFetch(path, init).catch(() => undefined)
    if (response && response.status < 500) return response
    onUnknown()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
}

export const dateIn = (language: string, ms: number): string =>
  new Date(ms).toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' })
