/** Tables as kubectl prints them: columns as wide as they must be, two spaces apart. */

/** Lines of a table, each with its line feed. Columns whose number is in `numeric` end flush, the others begin so. */
export function textTable(rows: readonly (readonly string[])[], numeric: readonly number[] = []): string {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  )
  const lines = rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        return numeric.includes(column) ? cell.padStart(width) : cell.padEnd(width)
      })
      .join('  ')
      .trimEnd(),
  )
  return lines.map((line) => `${line}\n`).join('')
}
