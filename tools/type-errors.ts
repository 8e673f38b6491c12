export interface CompileError {
  /** `file:line`. */
  readonly place: string
  readonly text: string
}

/** Reads what `tsc --pretty false` prints. An error without a place (a bad option) counts as one too. */
export function parseErrors(output: string): CompileError[] {
  return output.split('\n').flatMap((text) => {
    const match = /^(?:(.+?)\((\d+),\d+\): )?error TS\d+/.exec(text)
    return match ? [{ place: match[1] === undefined ? '' : `${match[1]}:${match[2]}`, text }] : []
  })
}

/** Blanks every `@ts-expect-error`, keeping the line numbers, and says on which lines errors must then appear. */
export function expectedErrors(source: string): { withoutDirectives: string; lines: number[] } {
  const lines: number[] = []
  const text = source.split('\n').map((line, index) => {
    if (!/^\s*\/\/\s*@ts-expect-error\b/.test(line)) return line
    // Lines are counted from 1, and the error is on the line after the directive.
    lines.push(index + 2)
    return '//'
  })
  return { withoutDirectives: text.join('\n'), lines }
}
