// Files in the format of `jwt-negative`: whole access tokens against `createVerifier`, with the clock fixed.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createVerifier, generateKeyring, loadKeyring, type Principal, systemRuntime, type Verifier } from 'countersign'
import { problemOf } from 'countersign/http'
import { type Case, type Expected, type Loaded, SHIPPED, type Verdict } from './cases.ts'
import { fingerprint } from './fingerprint.ts'
import type { Jwk } from './jose-layer.ts'
import { tripwire } from './tripwire.ts'

interface Vector {
  readonly id: string
  readonly group: string
  readonly key: string
  readonly token: string
  readonly expect: 'accept' | 'reject' | 'policy'
  readonly why: string
}
export interface AccessTokenFile {
  readonly now: number
  readonly expected: {
    readonly iss: string
    readonly aud: string
    readonly typ: string
    readonly leeway_seconds?: number
    readonly max_token_bytes?: number
    readonly max_lifetime_seconds?: number
  }
  readonly keys: Readonly<Record<string, Jwk>>
  readonly vectors: readonly Vector[]
}

const EXPECTED = { accept: 'accepted', reject: 'refused', policy: 'stable' } as const

/** Symmetric keys come from a keyring; public ones from a JWK Set, as another issuer publishes it. */
export async function loadAccessTokens(file: AccessTokenFile): Promise<Loaded> {
  if (file.expected.typ !== 'at+jwt') throw new Error(`createVerifier takes at+jwt, not ${file.expected.typ}`)
  const asked: string[] = []
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url!.slice(1))
    asked.push(name)
    response.setHeader('content-type', 'application/jwk-set+json')
    response.end(JSON.stringify({ keys: [file.keys[name]] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const wire = tripwire(port)
  const verifiers = new Map<string, Promise<Verifier<Principal>>>()
  const verifierOf = (name: string) => {
    const known = verifiers.get(name) ?? makeVerifier(file, name, port)
    verifiers.set(name, known)
    return known
  }
  const prototype = Object.getOwnPropertyNames(Object.prototype).join()
  return {
    kind: 'access tokens',
    cases: file.vectors.map((vector) => caseOf(file, vector, verifierOf)),
    async close() {
      wire.stop()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      const problems = wire.seen.map((where) => `a connection was opened to ${where}`)
      const twice = asked.filter((name, index) => asked.indexOf(name) !== index)
      problems.push(...twice.map((name) => `the keys of ${name} were asked for again`))
      if (Object.getOwnPropertyNames(Object.prototype).join() !== prototype)
        problems.push('Object.prototype was changed')
      return problems
    },
  }
}

async function makeVerifier(file: AccessTokenFile, name: string, port: number): Promise<Verifier<Principal>> {
  const { iss, aud, leeway_seconds: leeway = 0, max_token_bytes, max_lifetime_seconds } = file.expected
  const jwk = file.keys[name]
  if (!jwk) throw new Error(`the file has no key ${name}`)
  const symmetric = jwk.kty === 'oct'
  const signing = [{ ...jwk, state: 'active', created: '2026-01-01T00:00:00Z' }] as never
  const clock = { nowMs: () => file.now * 1_000, monotonicMs: () => 0 }
  return createVerifier({
    issuer: iss,
    audience: aud,
    keys: symmetric
      ? await loadKeyring({ ...generateKeyring(), signing })
      : new URL(`http://127.0.0.1:${port}/${name}`),
    algorithms: symmetric ? ['HS256'] : ['ES256', 'Ed25519', 'RS256'],
    leeway: `${leeway}s`,
    ...(max_token_bytes !== undefined && { maxTokenBytes: max_token_bytes }),
    ...(max_lifetime_seconds !== undefined && { maxLifetime: `${max_lifetime_seconds}s` }),
    runtime: { ...systemRuntime, clock },
  })
}

function caseOf(
  { keys }: AccessTokenFile,
  vector: Vector,
  verifierOf: (name: string) => Promise<Verifier<Principal>>,
): Case {
  const key = keys[vector.key]
  const shipped = SHIPPED.has(key?.alg)
  const expected: Expected = shipped || vector.expect === 'policy' ? EXPECTED[vector.expect] : 'refused'
  return {
    id: vector.id,
    about: `${vector.group}: ${vector.why}`,
    label: vector.expect,
    expected,
    fingerprint: fingerprint(key, vector.token),
    async run(): Promise<Verdict> {
      const verifier = await verifierOf(vector.key)
      const checked = await verifier.verify(vector.token)
      const again = verifier.verifyNow(vector.token)
      if (again?.ok !== checked.ok) throw new Error('verifyNow and verify disagree')
      if (checked.ok) return 'accepted'
      const { status, headers } = problemOf(checked)
      const challenge = headers['www-authenticate'] ?? ''
      if (status !== 401 || (vector.token !== '' && !challenge.includes('error="invalid_token"')))
        throw new Error(`answered ${status} ${challenge}`)
      return 'refused'
    },
  }
}
