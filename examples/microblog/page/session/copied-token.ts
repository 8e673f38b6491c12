// What a malicious script in the page could do: keep a copy of the access token and use it after the logout. It shows what the
// strategy is worth. A real application has nothing like this file.
import { useSyncExternalStore } from 'react'

export interface Copy {
  /** How long the copy has been tried, and the last answer: `accepted`, or the reason of the refusal. */
  readonly seconds: number
  readonly answer: string
}

const PAUSE_MS = 500
let last: string | undefined
let copy: Copy | undefined
let timer: ReturnType<typeof setInterval> | undefined
const listeners = new Set<() => void>()

/** Is told the `Authorization` of every request. */
export function seen(authorization: string | null): void {
  last = authorization ?? last
}

function set(next: Copy | undefined): void {
  copy = next
  for (const listener of listeners) listener()
}

/** Copies the token as it is now, and uses it every half second, whatever becomes of the session. */
export function copyToken(): void {
  dropCopy()
  const authorization = last
  if (!authorization) return
  const startedMs = Date.now()
  const attempt = async () => {
    // Without cookies: all that it has is the copy.
    const response = await fetch('/api/me', { headers: { authorization }, credentials: 'omit' })
    const problem = response.ok ? undefined : await response.json().catch(() => undefined)
    const answer = response.ok ? 'accepted' : (problem?.endedBy ?? problem?.reason ?? problem?.code ?? response.status)
    if (timer) set({ seconds: Math.round((Date.now() - startedMs) / 1_000), answer: String(answer) })
  }
  timer = setInterval(() => void attempt().catch(() => {}), PAUSE_MS)
  void attempt().catch(() => {})
}

export function dropCopy(): void {
  clearInterval(timer)
  timer = undefined
  set(undefined)
}

/** The copy, `undefined` when there is none. */
export const useCopy = (): Copy | undefined =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    () => copy,
  )
