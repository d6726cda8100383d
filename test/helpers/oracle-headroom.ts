/** Headroom as a log of what happened: what is used is told from the log alone, from its beginning each time. */

type Event =
  | { readonly kind: 'charged' | 'given back'; readonly at: number; readonly amount: number }
  | { readonly kind: 'shut'; readonly at: number; readonly ms: number }
  | { readonly kind: 'observed'; readonly at: number; readonly used: number; readonly of: Charged | undefined };

/** What an admission was charged: what it is now, and how many events had happened by then. */
interface Charged {
  readonly cost: number;
  readonly behind: number;
}

export function headroomLog(limit: number, windowMs: number) {
  const events: Event[] = [];

  /** How it stands when so many events have happened, at a time: what is used of what was charged alone, or of all. */
  function replay(count: number, now: number, isAlone: boolean): { readonly used: number; readonly shutUntil: number } {
    let [used, time, shutUntil] = [0, 0, 0];
    const pass = (to: number) => {
      used = Math.max(0, used - (Math.max(0, to - Math.max(time, shutUntil)) * limit) / windowMs);
      time = Math.max(time, to);
    };
    for (const [i, event] of events.slice(0, count).entries()) {
      pass(event.at);
      if (event.kind === 'shut') shutUntil = event.ms === 0 ? 0 : Math.max(shutUntil, event.at + event.ms);
      if (event.kind === 'charged') used += event.amount;
      if (isAlone) continue;
      if (event.kind === 'given back') used -= Math.min(used, event.amount);
      if (event.kind === 'observed') {
        const said = toldBy(event, i);
        used = said > used ? said : used - Math.min(used - said, event.of?.cost ?? 0) / 2;
      }
    }
    pass(now);
    return { used, shutUntil };
  }

  function toldBy({ at, used, of }: Extract<Event, { kind: 'observed' }>, count: number): number {
    if (of === undefined) return Math.min(limit, used);
    const taken = events[of.behind - 1].at;
    const grown = replay(count, at, true).used - replay(of.behind, taken, true).used;
    return Math.min(limit, used + Math.max(0, grown));
  }

  return {
    used: (now: number) => replay(events.length, now, false).used,
    isShut: (now: number) => now < replay(events.length, now, false).shutUntil,
    /** Returns how many events have happened, by which it is to be observed. */
    charge(amount: number, now: number): number {
      return events.push({ kind: 'charged', at: now, amount });
    },
    giveBack: (amount: number, now: number) => void events.push({ kind: 'given back', at: now, amount }),
    observe: (used: number, of: Charged | undefined, now: number) =>
      void events.push({ kind: 'observed', at: now, used, of: of && { cost: of.cost, behind: of.behind } }),
    shut: (ms: number, now: number) => void events.push({ kind: 'shut', at: now, ms }),
  };
}
