/** The operator's /metrics, as Prometheus would scrape them. */
import { readFile } from 'node:fs/promises'

/** Value of a sample by its name, without the common prefix, and all its labels in any order; undefined: it is not told. */
export type Metrics = (name: string, labels: Readonly<Record<string, string>>) => number | undefined

/** What is told just now. The address is where the last operator that wrote into that log listens. */
export async function scrape(operatorLog: string): Promise<Metrics> {
  const lines = (await readFile(operatorLog, 'utf8')).split('\n').filter((line) => line.includes('serving /metrics'))
  const { address } = JSON.parse(lines.at(-1) ?? '{}') as { address?: string }
  const text = await (await fetch(`http://${address}/metrics`)).text()
  const samples = new Map<string, number>()
  for (const [, name = '', labels = '', value] of text.matchAll(/^zendesk_connector_(\w+)\{(.*)\} (\S+)$/gm)) {
    samples.set(keyOf(name, labels.split(',')), Number(value))
  }
  return (name, labels) =>
    samples.get(
      keyOf(
        name,
        Object.entries(labels).map(([label, value]) => `${label}="${value}"`),
      ),
    )
}

function keyOf(name: string, labels: readonly string[]): string {
  return `${name} ${labels.toSorted().join()}`
}
