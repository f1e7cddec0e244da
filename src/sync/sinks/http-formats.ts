/** How the http sink puts records into the body of a request. An event's own text is never touched. */

export type FormatName = 'NDJSON' | 'JSONArray' | 'SplunkHEC'

/** A body is `open`, the records with `between` them, and `close`. */
export type Format = {
  readonly contentType: string
  readonly open: string
  readonly between: string
  readonly close: string
  /** A record as it stands in the body, from the line of its segment: an OCSF event. */
  readonly frame: (line: string) => string
}

/** Where the events come from, for those formats that say so. */
export type Origin = {
  /** Subdomain of the Zendesk account. */
  readonly account: string
  /** Namespace and name, with a slash between. */
  readonly connector: string
}

const asItStands = (line: string): string => line

export function formatOf(name: FormatName, origin: Origin): Format {
  switch (name) {
    case 'NDJSON':
      return { contentType: 'application/x-ndjson', open: '', between: '\n', close: '\n', frame: asItStands }
    case 'JSONArray':
      return { contentType: 'application/json', open: '[', between: ',', close: ']', frame: asItStands }
    case 'SplunkHEC':
      return { contentType: 'application/json', open: '', between: '\n', close: '\n', frame: splunkEnvelope(origin) }
  }
}

/** Splunk's event envelope (D); its time is in seconds, with milliseconds as the fraction. */
function splunkEnvelope({ account, connector }: Origin): (line: string) => string {
  const source = `zendesk-connector/${connector}`
  const said = JSON.stringify({ host: account, source, sourcetype: 'zendesk:ocsf' }).slice(1, -1)
  return (line) => {
    const { time } = JSON.parse(line) as { time: number }
    return `{"time":${(time / 1000).toFixed(3)},${said},"event":${line}}`
  }
}
