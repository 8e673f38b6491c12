import { useCallback, useEffect, useState } from 'react'
import { onNews, type Word } from '../session/live.ts'

// One for all renders: the effect below runs again for another one.
const never = () => false

/**
 * What the server answers, asked for again whenever the page was cut off, and when `isStale` says so of news.
 *
 * @returns What is known, a way to change it until it is asked for again, and a way to ask.
 */
export function useLoaded<T>(load: () => Promise<T>, isStale: (word: Word) => boolean = never) {
  const [value, setValue] = useState<T>()
  const again = useCallback(async () => {
    // What cannot be loaded is shown as it was: the session says elsewhere whether it is over.
    const loaded = await load().catch(() => undefined)
    if (loaded !== undefined) setValue(loaded)
  }, [load])
  useEffect(() => {
    void again()
    return onNews((word) => {
      if (word.kind === 'connected' || isStale(word)) void again()
    })
  }, [again, isStale])
  return [value, setValue, again] as const
}
