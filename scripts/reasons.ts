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

A reason is one word in the column REASON, in conditions, checks and Events. The message beside it is one sentence that
says what is wrong and what to do in your case. This page says what each word means.

- Somebody must act: ${links(true)}
- All others: ${links(false)}

## Somebody must act

The condition \`Stalled\` is true. What is wrong stays until somebody acts: a changed spec or Secret is tested at once.
Whatever is changed elsewhere, as in Zendesk, is found at the next interval, or at once when a test is asked for:

\`\`\`sh
kubectl annotate zdc acme -n security --overwrite cloudapps.security/test-requested-at="$(date)"
\`\`\`

${sections(true).join('\n\n')}

## All others

They are no failures, or they pass: what failed is tried again by itself. A connection without an answer is tried again
after 10 s, 30 s, 1 min, and so on up to 15 min; the status changes with the third time. A run is tried again at the next
\`spec.sync.interval\`.

${sections(false).join('\n\n')}

## Events

Events have these reasons and two more, neither of which is a failure. \`RunStarted\`: a run began, as the Job that is
named. \`RunStopped\`: the Job of a run is gone without a report, since somebody deleted it; the next run goes on where it
stopped.
`
}

function section(name: string, { means, cure }: Entry): string {
  return [`### ${name}`, means, ...(cure === undefined ? [] : [`**Cure.** ${cure}`])].join('\n\n')
}
