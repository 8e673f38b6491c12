type Edges = ReadonlyMap<string, readonly { to: string; line: number }[]>

/** One cycle per back edge of a depth-first walk: enough to name each knot, not all ways through it. */
export function findCycles(edges: Edges): { cycle: string[]; line: number }[] {
  const found: { cycle: string[]; line: number }[] = []
  const finished = new Set<string>()
  const trail: string[] = []

  const walk = (path: string) => {
    trail.push(path)
    for (const { to } of edges.get(path) ?? []) {
      const start = trail.indexOf(to)
      if (start >= 0) {
        const cycle = trail.slice(start)
        const first = edges.get(cycle[0]!)!.find((edge) => edge.to === (cycle[1] ?? cycle[0]))
        found.push({ cycle, line: first?.line ?? 1 })
      } else if (!finished.has(to)) walk(to)
    }
    trail.pop()
    finished.add(path)
  }
  for (const path of edges.keys()) if (!finished.has(path)) walk(path)
  return found
}
