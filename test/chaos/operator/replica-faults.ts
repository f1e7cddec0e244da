/** Faults of the operator's replicas themselves. */
import type { Fault, Struck } from './faults.ts'

export const tokenRotated: Fault = {
  name: 'token-rotated',
  what: 'each replica is given another token of its service account, and the old one becomes invalid',
  mayLog: ['Unauthorized', 'NotLeader'],
  strike: async ({ world: { replicas } }) => {
    await Promise.all(replicas.map((replica) => replica.rotateToken()))
    return { since: performance.now() }
  },
}

export const leaderKilled: Fault = {
  name: 'leader-killed',
  what: 'the leader is killed with -9; a new replica comes only after the state is right',
  mayLog: [],
  strike: async ({ world }) => {
    const leader = await world.leader()
    await world.removeReplica(leader, 'SIGKILL')
    const next = async () => {
      await world.addReplica()
      return undefined
    }
    return { since: performance.now(), leaderStruckAt: Date.now(), next }
  },
}

export const leaderFrozen: Fault = {
  name: 'leader-frozen',
  what: 'the leader is stopped until another has taken over and all is right, and then wakes in the middle of work',
  mayLog: ['NotLeader', 'Conflict', 'Timeout', 'Network', 'Aborted'],
  strike: async ({ world, residents }) => {
    const leader = await world.leader()
    // It shall be frozen in the middle of something, and find that somebody else has done it when it wakes.
    await residents.flip('flipped')
    await residents.syncNow('runner')
    leader.signal('SIGSTOP')
    const next = async (): Promise<Struck> => {
      leader.signal('SIGCONT')
      return { since: performance.now() }
    }
    return { since: performance.now(), leaderStruckAt: Date.now(), next }
  },
}

/** How far the clock jumps, in seconds: forward, and then to before it stood. */
const JUMPS = [3600, -3600, 0]

export const clockJumps: Fault = {
  name: 'clock-jumps',
  what: 'the clock of both replicas jumps an hour ahead, then two hours back, then to what it was',
  mayLog: [],
  strike: async ({ world }) => {
    for (const replica of [...world.replicas]) {
      await world.removeReplica(replica, 'SIGTERM')
      await world.addReplica({ ownClock: true })
    }
    await world.leader()
    const jump = async ([seconds = 0, ...others]: readonly number[]): Promise<Struck> => {
      await Promise.all(world.replicas.map(({ setClock }) => setClock(seconds)))
      const next = async () => (others.length > 0 ? jump(others) : undefined)
      return { since: performance.now(), next }
    }
    return jump(JUMPS)
  },
}
