/** SIGTERM and SIGINT as an AbortSignal: the only place where a process listens for them. */

/** Aborted at the first of the two; `onStop` is told its name. A second one ends the process at once, as usual. */
export function whenStopped(onStop: (name: NodeJS.Signals) => void): AbortSignal {
  const stopping = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      onStop(name)
      stopping.abort(new Error(`stopped by ${name}`))
    })
  }
  return stopping.signal
}
