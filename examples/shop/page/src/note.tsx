import { Alert, type AlertProps } from '@mantine/core'

/** A message with a coloured edge: text keeps the contrast of the page. */
export function Note({
  tone,
  ...more
}: { tone: 'teal' | 'orange' | 'red' | 'gray'; children: React.ReactNode } & Omit<
  AlertProps,
  'color' | 'variant' | 'children'
>) {
  return <Alert variant="default" style={{ borderLeft: `4px solid var(--mantine-color-${tone}-6)` }} {...more} />
}
