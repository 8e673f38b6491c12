// Assembles and lints the Lua scripts of the Redis store.
import { createHash } from 'node:crypto'

export interface Script {
  /** `rotateSession` for `rotate-session-3.lua`. */
  readonly key: string
  readonly name: string
  readonly keys: number
  readonly sha1: string
  readonly source: string
}

/**
 * @param files - Path below the scripts folder, without `.lua`, → text. Paths in `includes/` are parts of scripts.
 * @throws with all problems found, one per line.
 */
export function buildScripts(files: ReadonlyMap<string, string>): Script[] {
  const problems: string[] = []
  const scripts: Script[] = []
  const used = new Set<string>()
  for (const [path, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (path.startsWith('includes/')) continue
    const named = /^([a-z0-9]+(?:-[a-z0-9]+)*)-(\d+)$/.exec(path)
    if (!named) {
      problems.push(`${path}.lua: the name must be verb-noun-<number of KEYS>.lua`)
      continue
    }
    const [, name = '', keys = ''] = named
    try {
      const source = shebang(text) + include(path, files, [], used)
      problems.push(...lint(source, Number(keys)).map((problem) => `${path}.lua: ${problem}`))
      const key = name.replace(/-([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase())
      if (scripts.some((other) => other.key === key)) problems.push(`${path}.lua: there are two scripts called ${name}`)
      const sent = shipped(source)
      scripts.push({ key, name, keys: Number(keys), sha1: createHash('sha1').update(sent).digest('hex'), source: sent })
    } catch (error) {
      problems.push(`${path}.lua: ${(error as Error).message}`)
    }
  }
  for (const path of files.keys()) {
    if (path.startsWith('includes/') && !used.has(path)) problems.push(`${path}.lua: no script includes it`)
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return scripts
}

/**
 * With flags Redis knows what a script does. Writers also run when memory is full: ending a session must never fail.
 * What adds data says `@grows`, and is then refused before it has done anything.
 */
function shebang(text: string): string {
  if (isReadonly(text)) return '#!lua flags=no-writes\n'
  return grows(text) ? '#!lua\n' : '#!lua flags=allow-oom\n'
}

const isReadonly = (text: string) => /@readonly\b/.test(header(text) ?? '')
const grows = (text: string) => /@grows\b/.test(header(text) ?? '')

/** Puts each include where it is first asked for; a second request for it adds nothing. */
function include(path: string, files: ReadonlyMap<string, string>, trail: string[], used: Set<string>): string {
  const done = new Set<string>()
  const expand = (current: string, above: string[]): string => {
    if (above.includes(current)) throw new Error(`include cycle ${[...above, current].join(' → ')}`)
    const text = files.get(current)
    if (text === undefined) throw new Error(`${above.at(-1)} includes ${current}, which does not exist`)
    return text
      .replace(/^[ \t]*---[ \t]*@include\b.*\n?/gm, (line) => {
        const target = /@include[ \t]+"(includes\/[\w/-]+)"[ \t]*\n?$/.exec(line)?.[1]
        if (target === undefined) throw new Error(`cannot read ${line.trim()}; write --- @include "includes/name"`)
        used.add(target)
        if (done.has(target) && !above.includes(target)) return ''
        const expanded = expand(target, [...above, current])
        done.add(target)
        return expanded
      })
      .replace(/\n*$/, '\n')
  }
  return expand(path, trail)
}

/** The comment a script opens with. */
function header(text: string): string | undefined {
  return /^(?:#![^\n]*\n)?\s*--\[\[([\s\S]*?)\]\]/.exec(text)?.[1]
}

/** Compares what the header promises with what the body does. */
function lint(source: string, keys: number): string[] {
  const problems: string[] = []
  const documented = header(source)
  if (documented === undefined) return ['must open with a header comment --[[ … ]]']
  if (!/\bReturns\b/.test(documented)) problems.push('the header does not say what it Returns')
  const body = withoutComments(source)

  for (const list of ['KEYS', 'ARGV'] as const) {
    const promised = numbers(documented, list)
    const inBody = numbers(body, list)
    // `ARGV[5...]` documents "the fifth and all after it", which the body then reads with a computed index.
    const restFrom =
      list === 'ARGV'
        ? Number(/ARGV\[(\d+)\.{2,3}\]/.exec(documented)?.[1] ?? Number.POSITIVE_INFINITY)
        : Number.POSITIVE_INFINITY
    const hasRest = restFrom !== Number.POSITIVE_INFINITY
    for (const n of inBody)
      if (!promised.has(n) && n < restFrom) problems.push(`${list}[${n}] is used but not in the header`)
    for (const n of promised) if (!inBody.has(n)) problems.push(`${list}[${n}] is in the header but not used`)
    const computed = new RegExp(`\\b${list}\\b(?!\\s*\\[\\s*\\d+\\s*\\])`).test(body)
    if (computed && !hasRest)
      problems.push(`${list} is used without a plain number${list === 'ARGV' ? '; document it as ARGV[n...]' : ''}`)
    if (hasRest && !computed && ![...inBody].some((n) => n >= restFrom))
      problems.push(`ARGV[${restFrom}...] is in the header but not used`)
    const highest = Math.max(0, ...promised)
    if (promised.size !== highest) problems.push(`the header leaves a gap below ${list}[${highest}]`)
    if (list === 'KEYS' && highest !== keys) problems.push(`the file name says ${keys} KEYS, the header ${highest}`)
  }
  if (isReadonly(source) && writes.test(body)) problems.push('is marked @readonly but writes')
  return problems
}

const writes =
  /redis\.p?call\(\s*['"](?:SET|SETEX|PSETEX|DEL|UNLINK|HSET|HDEL|HINCRBY|ZADD|ZREM\w*|SADD|SREM|INCR\w*|P?EXPIRE\w*|PERSIST|XADD|LPUSH|RPUSH)['"]/i

function numbers(text: string, list: 'KEYS' | 'ARGV'): Set<number> {
  return new Set(
    [...text.matchAll(new RegExp(`\\b${list}\\s*\\[\\s*(\\d+)\\s*\\]`, 'g'))].map((match) => Number(match[1])),
  )
}

function withoutComments(source: string): string {
  const token = /--\[(=*)\[[\s\S]*?\]\1\]|--[^\n]*|^#![^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g
  return source.replace(token, (text) => (text.startsWith('--') || text.startsWith('#!') ? ' ' : text))
}

/** What is sent to Redis: the flags and the code. Comments are for whoever reads the files. */
function shipped(source: string): string {
  const [flags = ''] = source.split('\n', 1)
  const code = withoutComments(source)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return `${[flags, ...code].join('\n')}\n`
}

export function renderScripts(scripts: readonly Script[]): string {
  const entries = scripts.map(
    (script) => `  ${script.key}: {
    name: '${script.name}',
    keys: ${script.keys},
    sha1: '${script.sha1}',
    source: ${asTemplate(script.source)} as string,
  },\n`,
  )
  // `as string` keeps the text of the scripts out of the declaration files.
  return `// Generated by tools/generate-scripts.ts from scripts/*.lua. Do not edit; run \`npm run generate\`.\n\nexport const scripts = {\n${entries.join('')}} as const\n`
}

export function asTemplate(text: string): string {
  return `\`${text.replace(/[\\`]|\$\{/g, '\\$&')}\``
}
