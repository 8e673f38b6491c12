/**
 * Keeps one warning of Node's from standard error, where the log is: that its SQLite is experimental, which 22 and early
 * releases of 24 say at each start. The suite runs on those lines. Whatever else Node warns of is printed as before.
 */
export function dropSqliteWarning(): void {
  const printers = process.listeners('warning')
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    if (warning.name === 'ExperimentalWarning' && warning.message.startsWith('SQLite ')) return
    for (const print of printers) print.call(process, warning)
  })
}
