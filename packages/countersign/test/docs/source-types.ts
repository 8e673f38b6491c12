import { readFileSync } from 'node:fs'
import ts from 'typescript-6'

/** Reads a file of the repository, by its path from there. */
export function readRepositoryFile(path: string): string {
  return readFileSync(new URL(`../../../../${path}`, import.meta.url), 'utf8')
}

/** The members of a union of string literals, as the source text has them. Other members are left out. */
export function literalsOf(path: string, typeName: string): string[] {
  return members(path, typeName).flatMap(({ node }) =>
    ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal) ? [node.literal.text] : [],
  )
}

export interface EventType {
  readonly type: string
  /** Names of its own fields, an optional one with a `?`. */
  readonly fields: readonly string[]
  /** Words of the comment after it: the OWASP names. */
  readonly names: readonly string[]
}

/** The members of a union of events, each with the comment that stands behind it. */
export function eventsOf(path: string, typeName: string): EventType[] {
  return members(path, typeName).flatMap(({ node, comment }) => {
    if (!ts.isTypeLiteralNode(node)) return []
    const properties = node.members.filter(ts.isPropertySignature)
    const name = (property: ts.PropertySignature) => property.name.getText()
    const type = properties.find((property) => name(property) === 'type')?.type
    if (!type || !ts.isLiteralTypeNode(type) || !ts.isStringLiteral(type.literal)) return []
    const fields = properties
      .filter((property) => name(property) !== 'type')
      .map((property) => name(property) + (property.questionToken ? '?' : ''))
    return [{ type: type.literal.text, fields, names: comment.match(/[a-z]+(?:_[a-z]+)+/g) ?? [] }]
  })
}

/** The parts of a union, also where it stands in brackets, behind an `&`, or under another name of the same file. */
function members(path: string, typeName: string): { readonly node: ts.TypeNode; readonly comment: string }[] {
  const text = readRepositoryFile(path)
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true)
  const aliasOf = (name: string) =>
    source.statements.find(
      (statement): statement is ts.TypeAliasDeclaration =>
        ts.isTypeAliasDeclaration(statement) && statement.name.text === name,
    )
  const alias = aliasOf(typeName)
  if (!alias) throw new Error(`${path} declares no type ${typeName}`)
  const parts = (node: ts.TypeNode): ts.TypeNode[] => {
    if (ts.isParenthesizedTypeNode(node)) return parts(node.type)
    if (ts.isUnionTypeNode(node) || ts.isIntersectionTypeNode(node)) return node.types.flatMap(parts)
    const named = ts.isTypeReferenceNode(node) ? aliasOf(node.typeName.getText()) : undefined
    if (named) return parts(named.type)
    return [node]
  }
  return parts(alias.type).map((node) => {
    const [comment] = ts.getTrailingCommentRanges(text, node.end) ?? []
    return { node, comment: comment ? text.slice(comment.pos, comment.end) : '' }
  })
}
