// Throw-away certificates for tests, made by openssl when they are needed. Valid for two days, for loopback only.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Certificates {
  /** Files in PEM. */
  readonly ca: string
  readonly cert: string
  readonly key: string
  /** What is in the file `ca`, for clients. */
  readonly caPem: string
  /** Arguments for `redis-server`: TLS on the port of `morePorts: ['tls-port']`, no client certificates. */
  readonly redisArgs: readonly string[]
  remove(): void
}

/** A CA of its own, and one certificate by it for 127.0.0.1 and localhost. */
export function makeCertificates(): Certificates {
  const dir = mkdtempSync(join(tmpdir(), 'countersign-tls-'))
  const file = (name: string) => join(dir, name)
  const openssl = (...args: string[]) => {
    try {
      execFileSync('openssl', args, { stdio: 'pipe' })
    } catch (error) {
      rmSync(dir, { recursive: true, force: true })
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      throw new Error('openssl is not installed; these tests need it: apt-get install openssl')
    }
  }
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const [ca, caKey, cert, key, request] = ['ca.crt', 'ca.key', 'server.crt', 'server.key', 'server.csr'].map(file)
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=countersign test CA', '-keyout', caKey!, '-out', ca!)
  openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', key!, '-out', request!)
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  const signing = ['-CA', ca!, '-CAkey', caKey!, '-CAcreateserial', '-days', '2', '-extfile', file('names')]
  openssl('x509', '-req', '-in', request!, ...signing, '-out', cert!)
  return {
    ca: ca!,
    cert: cert!,
    key: key!,
    caPem: readFileSync(ca!, 'utf8'),
    redisArgs: [
      '--tls-cert-file',
      cert!,
      '--tls-key-file',
      key!,
      '--tls-ca-cert-file',
      ca!,
      '--tls-auth-clients',
      'no',
    ],
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}
