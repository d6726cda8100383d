/** Headroom as a log of what happened: what is used is told from the log alone, from its beginning each time. */

type Event =
  | { readonly kind: 'charged' | 'given back'; readonly at: number; readonly amount: number }
  /** `behind`: how many events had happened when the admission that it answers had been charged. */
  | { readonly kind: 'observed'; readonly at: number; readonly used: number; readonly behind: number | undefined };

export function headroomLog(limit: number, windowMs: number) {
  const events: Event[] = [];
  const shuts: { readonly at: number; readonly ms: number }[] = [];

  /** What is used when so many events have happened, at a time; of what was charged alone, or of all. */
  function level(count: number, now: number, isAlone: boolean): number {
    let [used, time] = [0, 0];
    const pass = (to: number) => {
      used = Math.max(0, used - (Math.max(0, to - time) * limit) / windowMs);
      time = Math.max(time, to);
    };
    for (const [i, event] of events.slice(0, count).entries()) {
      pass(event.at);
      if (event.kind === 'charged') used += event.amount;
      if (isAlone) continue;
      if (event.kind === 'given back') used -= Math.min(used, event.amount);
      if (event.kind === 'observed') {
        const said = toldBy(event, i);
        used = said > used ? said : used - (used - said) / 2;
      }
    }
    pass(now);
    return used;
  }

  function toldBy({ at, used, behind }: Extract<Event, { kind: 'observed' }>, count: number): number {
    if (behind === undefined) return Math.min(limit, used);
    const taken = events[behind - 1].at;
    const grown = level(count, at, true) - level(behind, taken, true);
    return Math.min(limit, used + Math.max(0, grown));
  }

  /** Until when nothing passes: the latest end of those since the last that opens. */
  function shutUntil(): number {
    const last = shuts.findLastIndex(({ ms }) => ms === 0);
    return Math.max(0, ...shuts.slice(last + 1).map(({ at, ms }) => at + ms));
  }

  return {
    used: (now: number) => level(events.length, now, false),
    isShut: (now: number) => now < shutUntil(),
    /** Returns what it is to be observed by. */
    charge(amount: number, now: number): number {
      return events.push({ kind: 'charged', at: now, amount });
    },
    giveBack: (amount: number, now: number) => void events.push({ kind: 'given back', at: now, amount }),
    observe: (used: number, behind: number | undefined, now: number) =>
      void events.push({ kind: 'observed', at: now, used, behind }),
    shut: (ms: number, now: number) => void shuts.push({ at: now, ms }),
  };
}
