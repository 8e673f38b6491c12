// What the checks of the documentation need to know of a Markdown file. Not a parser: it knows the forms that are used here.

export interface CodeBlock {
  /** The word after the fence: `ts`, `sh`, … Empty when there is none. */
  readonly language: string
  /** What follows that word. */
  readonly info: string
  readonly code: string
  /** Line of the opening fence, from 1. */
  readonly line: number
}

/** The fenced blocks of a file, and the file with their lines emptied, so that line numbers stay as they are. */
export function codeBlocks(markdown: string): { readonly blocks: readonly CodeBlock[]; readonly prose: string } {
  const blocks: CodeBlock[] = []
  const prose: string[] = []
  let open: { fence: string; language: string; info: string; line: number; code: string[] } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const fence = /^ {0,3}(`{3,}|~{3,})\s*(\S*)\s*(.*)$/.exec(text)
    if (!open && fence) open = { fence: fence[1]!, language: fence[2]!, info: fence[3]!, line: index + 1, code: [] }
    else if (open && fence?.[1] === open.fence && fence[2] === '') {
      const { language, info, line, code } = open
      blocks.push({ language, info, line, code: code.map((one) => `${one}\n`).join('') })
      open = undefined
    } else if (open) open.code.push(text)
    else {
      prose.push(text)
      continue
    }
    prose.push('')
  }
  return { blocks, prose: prose.join('\n') }
}

/** The anchors of the headings, as GitHub makes them. */
export function anchorsOf(prose: string): ReadonlySet<string> {
  const anchors = new Set<string>()
  for (const [, title] of prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = title!.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
    const anchor = text.replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

/** Targets of links and images, with the line they stand on. Inline code is no link. */
export function linksOf(prose: string): readonly { readonly target: string; readonly line: number }[] {
  return prose.split('\n').flatMap((text, index) => {
    const withoutCode = text.replace(/(`+).*?\1/g, '')
    const inline = [...withoutCode.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)]
    const references = [...withoutCode.matchAll(/^\[[^\]]+\]: +(\S+)/g)]
    return [...inline, ...references].map(([, target]) => ({ target: target!, line: index + 1 }))
  })
}

/**
 * The rows of the first table below the heading with this text, each a list of its cells.
 *
 * @throws Error when there is no such heading or no table below it.
 */
export function tableBelow(markdown: string, heading: string): readonly (readonly string[])[] {
  const { prose } = codeBlocks(markdown)
  const lines = prose.split('\n')
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ +/, '').trim() === heading)
  if (start < 0) throw new Error(`no heading "${heading}"`)
  const rest = lines.slice(start + 1)
  const end = rest.findIndex((line) => /^#+ /.test(line))
  const rows =
    (end < 0 ? rest : rest.slice(0, end))
      .join('\n')
      .match(/(?:^\|.*\n?)+/m)?.[0]
      .trimEnd()
      .split('\n') ?? []
  if (rows.length < 3 || !/^\|[\s|:-]+$/.test(rows[1]!)) throw new Error(`no table below "${heading}"`)
  // `\|` is a bar inside a cell.
  return rows.slice(2).map((row) =>
    row
      .slice(1, row.lastIndexOf('|'))
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  )
}

/** The inline code of a cell: `` `a`, `b` `` gives `a` and `b`. */
export function codesOf(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)
}
