/** The frames of a watch: one JSON value a line. */
import { KubeError } from './errors.ts'

/** Parses each line as it is complete. Throws a Malformed KubeError at a line that is not JSON; a cut last line is dropped. */
export async function* jsonLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true })
    let start = 0
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      const line = rest + text.slice(start, end)
      rest = ''
      start = end + 1
      if (line.trim() !== '') yield parse(line)
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
