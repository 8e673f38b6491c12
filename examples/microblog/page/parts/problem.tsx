import { Alert } from '@mantine/core'
import { useState } from 'react'
import { Refusal } from '../session/api.ts'
import { useWords } from '../words/words.tsx'

/** Runs what somebody asked for, and keeps the code of what went wrong for {@link Problem}. */
export function useAttempt() {
  const [code, setCode] = useState<string>()
  const [busy, setBusy] = useState(false)
  async function attempt(work: () => Promise<unknown>): Promise<void> {
    setBusy(true)
    setCode(undefined)
    try {
      await work()
    } catch (error) {
      setCode(error instanceof Refusal ? error.code : 'failed')
    } finally {
      setBusy(false)
    }
  }
  return { attempt, busy, code }
}

export function Problem({ code }: { readonly code: string | undefined }) {
  const t = useWords()
  if (code === undefined) return null
  return (
    <Alert color="red" role="alert">
      {t.problems[code] ?? t.failed}
    </Alert>
  )
}
