/**
 * Text as a column value: JSON's escapes without the quotes. Not every database keeps a NUL (Postgres refuses it, and
 * 1.2 of the SQLite peer cuts the text off there, so that two identifiers become one), and a lone surrogate has no UTF-8
 * form. Ids and addresses look the same; the mapping is one to one.
 */
export function key(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** The inverse of {@link key}. */
export function unkey(column: string): string {
  return JSON.parse(`"${column}"`) as string
}
