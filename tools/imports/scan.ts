// Reads one source file: what it imports, and which of the named globals it uses. Works on the syntax tree, so that
// comments, strings, and properties that happen to be called `setTimeout` do not count.
import ts from 'typescript-6'

export interface Import {
  readonly from: string
  readonly line: number
  /** Erased by the compiler. `import { type A }` is not: under verbatimModuleSyntax the import itself stays. */
  readonly typeOnly: boolean
}

export interface Use {
  /** As in rules.ts: `name`, `a.b` or `*.b`. */
  readonly names: readonly string[]
  readonly line: number
}

export function scan(path: string, source: string): { imports: Import[]; uses: Use[] } {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true)
  const imports: Import[] = []
  const uses: Use[] = []
  const lineOf = (node: ts.Node) => file.getLineAndCharacterOfPosition(node.getStart()).line + 1
  const addImport = (node: ts.Node, from: ts.Node | undefined, typeOnly: boolean) => {
    if (from !== undefined && ts.isStringLiteralLike(from))
      imports.push({ from: from.text, line: lineOf(node), typeOnly })
    // A computed module name escapes every rule, so it is an import of nothing we allow.
    else if (from !== undefined) imports.push({ from: '(computed)', line: lineOf(node), typeOnly })
  }

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause
      addImport(node, node.moduleSpecifier, clause?.phaseModifier === ts.SyntaxKind.TypeKeyword)
    } else if (ts.isExportDeclaration(node)) {
      addImport(node, node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isImportTypeNode(node)) {
      addImport(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node.argument, true)
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      addImport(node, node.arguments[0], false)
    } else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'require') {
      addImport(node, node.arguments[0], false)
    } else if (isDateWithoutArgument(node)) {
      uses.push({ names: ['new Date()'], line: lineOf(node) })
    }
    if (ts.isIdentifier(node)) {
      const names = namesOf(node)
      if (names.length > 0) uses.push({ names, line: lineOf(node) })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return { imports, uses }
}

function isDateWithoutArgument(node: ts.Node): boolean {
  if (ts.isNewExpression(node)) return isNamed(node.expression, 'Date') && (node.arguments?.length ?? 0) === 0
  return ts.isCallExpression(node) && isNamed(node.expression, 'Date')
}

const isNamed = (node: ts.Node, name: string) => ts.isIdentifier(node) && node.text === name

/** What an identifier stands for in the notation of rules.ts. Empty where it only declares or labels something. */
function namesOf(node: ts.Identifier): string[] {
  const { parent, text } = node
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    const object = parent.expression.getText()
    return object === 'globalThis' ? [text, `globalThis.${text}`, `*.${text}`] : [`${object}.${text}`, `*.${text}`]
  }
  if (ts.isImportSpecifier(parent))
    return isTypeImport(parent) ? [] : [`*.${(parent.propertyName ?? parent.name).text}`]
  if (ts.isBindingElement(parent) && (parent.propertyName ?? parent.name) === node) return [`*.${text}`]
  if (ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent)) return []
  const declares = (parent as ts.NamedDeclaration).name === node && !ts.isShorthandPropertyAssignment(parent)
  return declares ? [] : [text, `*.${text}`]
}

const isTypeImport = (node: ts.ImportSpecifier) =>
  node.isTypeOnly || node.parent.parent.phaseModifier === ts.SyntaxKind.TypeKeyword
