import { Container, Loader } from '@mantine/core'
import { useSession } from 'countersign/browser/react'
import { useEffect } from 'react'
import { Devices } from './pages/devices.tsx'
import { LogIn } from './pages/log-in.tsx'
import { People } from './pages/people.tsx'
import { Register } from './pages/register.tsx'
import { StrategyPage } from './pages/strategy.tsx'
import { Timeline } from './pages/timeline.tsx'
import { CopiedToken } from './parts/copied-token.tsx'
import { Header } from './parts/header.tsx'
import { Unreachable } from './parts/unreachable.tsx'
import { go, goToLogin, returnTo, usePath } from './route.ts'
import { keepListening } from './session/live.ts'

const PUBLIC = ['/login', '/register']
const PAGES: Readonly<Record<string, () => React.ReactNode>> = {
  '/': Timeline,
  '/devices': Devices,
  '/people': People,
  '/strategy': StrategyPage,
  '/login': LogIn,
  '/register': Register,
}

export function App() {
  const { status } = useSession()
  const path = usePath()
  const isPublic = PUBLIC.includes(path)
  const isHere = status === (isPublic ? 'signed_out' : 'signed_in')

  // However the session began or ended, in whatever tab or on whatever device: the page follows.
  useEffect(() => {
    if (status === 'signed_out' && !isPublic) goToLogin()
    if (status === 'signed_in' && isPublic) go(returnTo(), 'replace')
  }, [status, isPublic])
  useEffect(() => (status === 'signed_in' ? keepListening() : undefined), [status])

  const Page = PAGES[path] ?? Timeline
  return (
    <>
      <Header />
      <Container component="main" size="sm" py="lg">
        <Unreachable />
        {isHere ? <Page key={path} /> : <Loader role="status" aria-label="…" />}
        <CopiedToken />
      </Container>
    </>
  )
}
