// Programs with live sessions, each of which calls almost without a pause, every request at whichever server comes.
import { createVerifier, type Principal, type Verifier } from 'countersign'
import { bearer, JSON_TYPE, PASSWORD } from '../support.ts'

export const ISSUER = 'https://auth.test'

export interface Program {
  accessToken: string
  refreshToken: string
  rotations: number
  rounds: number
}

export interface Load {
  readonly programs: readonly Program[]
  /** Whatever was no 2xx, connections that failed, and tokens that another service refused. There must be none. */
  readonly failures: readonly string[]
  readonly requests: number
  /** From now on a service that fetches the public keys anew checks every token. */
  fetchKeys(url: string): void
  /** Goes on until it is true of every program. Fails after some minutes, saying what for. */
  until(what: string, isTrue: (program: Program) => boolean): Promise<void>
  rounds(count: number): Promise<void>
  stop(): Promise<void>
}

const PATIENCE_MS = 400_000
/** So that the machine can also run the commands that the load is there to disturb. */
const THINK_MS = 10
const REFRESH_EVERY = 3

export async function startLoad(urls: readonly string[], size: number): Promise<Load> {
  const failures: string[] = []
  let requests = 0
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: object): Promise<any> => {
    const url = urls[Math.floor(Math.random() * urls.length)]!
    try {
      const init = body && { body: JSON.stringify(body) }
      const response = await fetch(url + path, { method, headers: { ...headers, ...(body && JSON_TYPE) }, ...init })
      const text = await response.text()
      requests++
      if (!response.ok) failures.push(`${method} ${path} ${response.status} ${text}`)
      return response.ok ? JSON.parse(text) : undefined
    } catch (error) {
      failures.push(`${method} ${path} ${(error as Error & { cause?: { code?: string } }).cause?.code ?? error}`)
      return undefined
    }
  }

  let elsewhere: Verifier<Principal> | undefined
  const checkElsewhere = async (token: string) => {
    const checked = await elsewhere?.verify(token)
    if (checked?.ok === false) failures.push(`by JWK Set: ${checked.reason}`)
  }
  let isStopping = false
  const live = async (program: Program): Promise<void> => {
    for (; !isStopping && failures.length < 50; program.rounds++) {
      await ask('GET', '/auth/session', bearer(program.accessToken))
      await checkElsewhere(program.accessToken)
      await new Promise((resolve) => setTimeout(resolve, THINK_MS))
      if (program.rounds % REFRESH_EVERY !== 0) continue
      const next = await ask('POST', '/auth/refresh', {}, { refreshToken: program.refreshToken })
      if (!next) continue
      if (next.refreshToken !== program.refreshToken) program.rotations++
      program.accessToken = next.accessToken
      program.refreshToken = next.refreshToken
    }
  }

  const programs: Program[] = []
  for (let n = 0; n < size; n++) {
    const who = { identifier: `person-${n}@example.com`, password: PASSWORD }
    await ask('POST', '/auth/register', { origin: ISSUER }, who)
    const { accessToken, refreshToken } = await ask('POST', '/auth/login', {}, { ...who, delivery: 'bearer' })
    programs.push({ accessToken, refreshToken, rotations: 0, rounds: 0 })
  }
  const lives = programs.map(live)

  const until: Load['until'] = async (what, isTrue) => {
    const giveUpAt = performance.now() + PATIENCE_MS
    while (!programs.every(isTrue)) {
      if (failures.length > 0) return
      if (performance.now() > giveUpAt) throw new Error(`waited in vain for: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return {
    programs,
    failures,
    get requests() {
      return requests
    },
    fetchKeys(url) {
      const keys = new URL('/.well-known/jwks.json', url)
      elsewhere = createVerifier({ keys, issuer: ISSUER, audience: ISSUER })
    },
    until,
    async rounds(count) {
      const goals = new Map(programs.map((program) => [program, program.rounds + count]))
      await until(`${count} more rounds`, (program) => program.rounds >= goals.get(program)!)
    },
    async stop() {
      isStopping = true
      await Promise.all(lives)
    },
  }
}
