/** A process that is frozen while another takes over, and then wakes: it must find out, end as fenced, and change nothing. */
import { setTimeout as delay } from 'node:timers/promises'
import { EXIT } from '../../src/connector/run.ts'
import { HOLD_MS } from '../../src/connector/schedule.ts'
import { takeAim } from './aim.ts'
import type { Dice } from './dice.ts'
import type { Lane } from './lane.ts'
import type { Crew, Stage } from './life.ts'
import type { Pod } from './pod.ts'

/** Freezes a process in the middle of something, if it comes to that. */
export async function freeze(lane: Lane, stage: Stage, crew: Crew, dice: Dice): Promise<void> {
  const { books, trapper } = stage
  const sleeper = crew.start()
  const aim = takeAim(dice.of(['fetching', 'writing', 'publishing']), 'SIGSTOP', { lane, pod: sleeper, trapper }, dice)
  lane.guardedBy(aim)
  while (sleeper.isRunning() && aim.struck() === undefined && !stage.over.aborted) await delay(20)
  aim.giveUp()
  lane.guardedBy(undefined)
  if (aim.struck() === undefined) return void (await crew.ending(sleeper, 0, EXIT.tryAgain, EXIT.sink))

  const other = crew.startNext()
  const wakesEarly = dice.chance(0.5)
  if (wakesEarly) await untilTakenOver(lane, stage, other)
  else await crew.ending(other, 0, EXIT.tryAgain, EXIT.sink)

  await lane.sink.consumer.look()
  const before = tracesOf(sleeper, lane)
  sleeper.signal('SIGCONT')
  await crew.ending(sleeper, EXIT.fenced)
  await lane.sink.consumer.look()
  const after = tracesOf(sleeper, lane)

  const more = after.requests
    .slice(before.requests.length)
    .map(({ path, at }) => `${path} at ${new Date(at).toISOString()}`)
  if (more.length > 0) books.trouble(`${lane.name}: a frozen process woke and asked Zendesk for ${more.join(', ')}`)
  // Before the other has read the sink, a segment that was ready may still be linked: the other goes on behind it.
  if (!wakesEarly && after.segments > before.segments)
    books.trouble(`${lane.name}: a frozen process woke and published`)
  books.faulted(wakesEarly ? 'frozen, woken after the claim' : 'frozen, woken after the run', 'freeze')
  if (wakesEarly) await crew.ending(other, 0, EXIT.tryAgain, EXIT.sink)
}

/** Until the other has claimed the checkpoint, and the frozen one may not rely on its own claim any more. */
async function untilTakenOver(lane: Lane, { checkpoints, over }: Stage, pod: Pod): Promise<void> {
  const hasClaimed = () => checkpoints.latest(lane.checkpoint)?.holder?.pod === pod.uid
  while (pod.isRunning() && !hasClaimed() && !over.aborted) await delay(20)
  await delay(HOLD_MS + 1000)
}

/** What the frozen one has left so far. While it wakes nobody else of its lane asks Zendesk for anything. */
function tracesOf({ uid }: Pod, { account, sink }: Lane) {
  return {
    requests: account.ledger.requests(),
    segments: sink.consumer.headers().filter(({ pod }) => pod === uid).length,
  }
}
