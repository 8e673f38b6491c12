import { Anchor } from '@mantine/core'
import type { MouseEvent, ReactNode } from 'react'
import { go, usePath } from '../route.ts'

/** A link to another page of ours, which needs no document. With a key held it is an ordinary link. */
export function Link({ to, children }: { readonly to: string; readonly children: ReactNode }) {
  const isHere = usePath() === to
  function follow(event: MouseEvent) {
    if (event.metaKey || event.ctrlKey || event.shiftKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <Anchor href={to} onClick={follow} fw={isHere ? 700 : 500} {...(isHere && { 'aria-current': 'page' })}>
      {children}
    </Anchor>
  )
}
