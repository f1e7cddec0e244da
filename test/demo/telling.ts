/** How the demo speaks. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Stage } from '../support/stage.ts'

const colours = process.stdout.isTTY

/** One line, or several. */
export function say(text: string): void {
  process.stdout.write(`${text.trimEnd()}\n`)
}

/** A heading. */
export function title(text: string): void {
  say('')
  say(colours ? `\u001b[1m▸ ${text}\u001b[0m` : `▸ ${text}`)
}

/** What a person sees who lets a kubectl command run on in the foreground: each line as it comes. */
export type Following = {
  /** Ends the command, when it does not end by itself. */
  stop(): Promise<void>
}

/** Runs `kubectl ARGS` and shows each line that `show` turns into text. */
export function follow(stage: Stage, args: readonly string[], show: (line: string) => string | undefined): Following {
  const { kubectlPath, kubeconfig } = stage.cluster
  const child = spawn(kubectlPath, [...args, '--kubeconfig', kubeconfig], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = once(child, 'close')
  createInterface({ input: child.stdout }).on('line', (line) => {
    const text = show(line)
    if (text !== undefined) say(text)
  })
  return {
    stop: async () => {
      child.kill()
      await ended
    },
  }
}

/** `kubectl get zdc -w`, without the rows that differ in nothing but an age. */
export function followTable(stage: Stage): Following {
  const last = new Map<string, string>()
  say('$ kubectl get zdc -w')
  return follow(stage, ['get', 'zdc', '-n', 'security', '-w'], (line) => {
    const [name = ''] = line.split(/\s+/)
    const news = line.replaceAll(/\d+[smh]/g, '').replaceAll(/\s+/g, ' ')
    if (last.get(name) === news) return undefined
    last.set(name, news)
    return line
  })
}
