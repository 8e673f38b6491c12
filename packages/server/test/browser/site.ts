// The origin that a browser sees: pages of an application, and before the service a network that delays and loses things.
import { request as ask, createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** What happens to one request to the service. Times in milliseconds of real time. */
export interface Fate {
  readonly beforeMs?: number
  readonly afterMs?: number
  /** Before the service sees it as well, for who has to see how a page waits: however slow the browser is. */
  readonly until?: Promise<unknown>
  /** The connection breaks: `request` before the service sees it, `response` after it has answered. */
  readonly lose?: 'request' | 'response'
}

export interface Site {
  readonly origin: string
  /** Where the service listens. */
  target: string
  /** Decides about each request to the service; `path` without the query. */
  fate: (path: string) => Fate
  /** Every refresh cookie that was handed out, in order, also where the answer was lost. */
  readonly handedOut: string[]
  /** What pages reported to `/seen`. */
  readonly seen: { persisted: boolean; isVisible: boolean; status: string }[]
  /** Requests to the service so far, and those that are under way. */
  readonly requests: string[]
  readonly underWay: () => number
  close(): void
}

const HEAD = '<!doctype html><title>Site</title><link rel="icon" href="data:,">'
const PLAIN = `<p id="says"></p><button id="logout">Log out</button>
<form><input name="identifier"><input name="password" type="password"><button>Log in</button></form>`

async function bundle(name: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`pages/${name}.ts`, import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"development"' },
    write: false,
  })
  return outputFiles[0]!.text
}

const bundled = Promise.all(
  ['app', 'react'].map(async (name): Promise<[string, string]> => [`/${name}.js`, await bundle(name)]),
)

export async function startSite(): Promise<Site> {
  const scripts = new Map(await bundled)
  let underWay = 0
  const server = createServer((request, response) => {
    const path = request.url!.split('?')[0]!
    if (path.startsWith('/auth/')) return void forward(path, request, response)
    if (path === '/seen') {
      request.setEncoding('utf8').on('data', (text) => site.seen.push(JSON.parse(text)))
      return void response.end()
    }
    const script = scripts.get(path)
    if (script) return void response.setHeader('content-type', 'text/javascript').end(script)
    response.setHeader('content-type', 'text/html; charset=utf-8')
    if (path === '/away') return void response.end(`${HEAD}<p>A page that knows nothing of sessions</p>`)
    const [body, src] = path === '/react' ? ['<main></main>', '/react.js'] : [PLAIN, '/app.js']
    response.end(`${HEAD}${body}<script type="module" src="${src}"></script>`)
  })

  async function forward(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    underWay++
    site.requests.push(path)
    let isGone = false
    response.on('close', () => {
      isGone = true
      underWay--
    })
    const { beforeMs = 0, afterMs = 0, until, lose } = site.fate(path)
    await until
    await new Promise((resolve) => setTimeout(resolve, beforeMs))
    // Whoever gave up took the request back, as long as it was only on its way.
    if (isGone || lose === 'request') return void request.socket.destroy()
    const onward = ask(site.target + request.url, { method: request.method!, headers: request.headers })
    onward.on('error', () => request.socket.destroy())
    onward.on('response', async (answer) => {
      for (const text of answer.headers['set-cookie'] ?? []) {
        const token = /^__Host-refresh=([^;]+)/.exec(text)?.[1]
        if (token) site.handedOut.push(token)
      }
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      if (lose === 'response') return void request.socket.destroy()
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const site: Site = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    target: '',
    fate: () => ({}),
    handedOut: [],
    seen: [],
    requests: [],
    underWay: () => underWay,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
  return site
}

/** The generation that a refresh token says it is of. */
export const generationOf = (token: string): number => Buffer.from(token.slice(4), 'base64url').readUInt32BE(27)
