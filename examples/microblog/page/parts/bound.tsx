import { Text } from '@mantine/core'
import { settings } from '../settings.ts'
import { useWords } from '../words/words.tsx'

/** When a revocation takes effect, under the strategy that was chosen. */
export function Bound() {
  const t = useWords()
  return <Text fz="sm">{settings.strategy === 'stateless' ? t.atExpiry(settings.access) : t.atOnce}</Text>
}
