/**
 * The frames of a watch: one JSON value a line. Each is handed over and let go: an iterator that waits for the next line
 * would hold the last one for as long, and with it what `kubectl apply` writes of a Secret into its annotations.
 */
import { KubeError } from './errors.ts'
import { withoutMembers } from './json-without.ts'

/**
 * Takes bytes as they come and hands over each line that is complete, without members of these names. Throws a Malformed
 * KubeError at one that is not JSON.
 */
export function jsonLines(
  onValue: (value: unknown) => void,
  without: readonly string[] = [],
): (chunk: Uint8Array) => void {
  const decoder = new TextDecoder()
  let rest = ''
  return (chunk) => {
    const text = decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = rest + text.slice(start, end)
      rest = ''
      start = end + 1
      if (line.trim() !== '') onValue(parse(withoutMembers(line, without)))
    }
    rest += text.slice(start)
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw new KubeError('Malformed', 'the API server sent a watch event that is not JSON')
  }
}
