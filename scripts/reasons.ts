/** docs/reasons.md as text: every reason with when it appears and its cure, made from src/connector/reasons.ts. */
import { REASONS } from '../src/connector/reasons.ts'

type Entry = { readonly lasting: boolean; readonly means: string; readonly cure?: string }

/** The whole page. */
export function reasonsPage(): string {
  const entries: [string, Entry][] = Object.entries(REASONS)
  const sections = (lasting: boolean) =>
    entries.filter(([, entry]) => entry.lasting === lasting).map(([name, entry]) => section(name, entry))
  const links = (lasting: boolean) =>
    entries
      .filter(([, entry]) => entry.lasting === lasting)
      .map(([name]) => `[${name}](#${name.toLowerCase()})`)
      .join(', ')
  return `# Reasons

<!-- Generated from src/connector/reasons.ts by \`npm run reference\`. Do not edit. -->

Reasons appear in the column REASON, and in conditions, checks and Events. The message next to a reason says what is wrong
and what to do in your case. This page explains each reason.

- Somebody must act: ${links(true)}
- All others: ${links(false)}

## Somebody must act

The condition \`Stalled\` is true until the problem is fixed. A changed spec or Secret is tested immediately. Changes made
elsewhere, such as in Zendesk, are noticed at the next interval, or immediately if you request a test:

\`\`\`sh
kubectl annotate zdc acme -n security --overwrite cloudapps.security/test-requested-at="$(date)"
\`\`\`

${sections(true).join('\n\n')}

## All others

These are not failures, or they are retried automatically. A connection without an answer is retried after 10 s, 30 s,
1 min, and so on up to 15 min; the status changes after the third failure in a row. A run is retried at the next
\`spec.sync.interval\`.

${sections(false).join('\n\n')}

## Events

Events have these reasons and two more, neither of which is a failure. \`RunStarted\`: a run started; the message names its
Job. \`RunStopped\`: the Job of a run was deleted before it reported; the next run continues where it stopped.
`
}

function section(name: string, { means, cure }: Entry): string {
  return [`### ${name}`, means, ...(cure === undefined ? [] : [`**Fix.** ${cure}`])].join('\n\n')
}
