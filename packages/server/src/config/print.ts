import { FIELDS, type Field, type FieldName } from './fields.ts'
import type { Config } from './resolve.ts'

/** A configuration as it may be shown: secrets are cut out of it. */
export function printable(config: Config): Record<string, unknown> {
  return Object.fromEntries(
    (Object.keys(FIELDS) as FieldName[]).map((name) => {
      const { print } = FIELDS[name] as Field<unknown>
      const value = config[name]
      return [name, value === undefined ? null : print ? print(value) : value]
    }),
  )
}

/** One line per setting: name, value, source. */
export function printConfig(config: Config): string {
  const rows = Object.entries(printable(config)).map(([name, value]) => {
    const shown = value === null ? '-' : Array.isArray(value) ? value.join(',') || '-' : String(value)
    return [name, shown, config.sources[name as FieldName]] as const
  })
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length))
  return rows
    .map(([name, value, source]) => `${name.padEnd(width(0))}  ${value.padEnd(width(1))}  ${source}`)
    .join('\n')
}
