/**
 * How the configuration stands where several processes change it, at once even: what all are told they hear in one order, and
 * that order decides. What a process has changed itself holds there at once, on top, until it hears it in its place.
 */
import type { TollgateChange } from '../config.js';
import { type Changed, changed } from './update.js';

export interface Standing {
  /** By what was told, as far as it was heard: for all processes of one configuration the same. */
  readonly told: Changed;
  /** What was changed here since, the oldest first: of these the first is always one that is told. */
  readonly own: readonly Own[];
  /** What holds: `told`, with those of `own` that fit on top. */
  readonly present: Changed;
}

interface Own {
  /** `undefined`: nobody is told of it. */
  readonly id: string | undefined;
  readonly change: TollgateChange;
}

/**
 * A change that is made in this process.
 *
 * @param id by which it will be heard; `undefined` where it is told nobody
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` where it doesn't fit what holds
 */
export function changedHere(
  { told, own, present }: Standing,
  change: TollgateChange,
  id: string | undefined,
): Standing {
  return inPlace({ told, own: [...own, { id, change }], present: changed(present.source, change) });
}

/**
 * A change that is heard, this process's own or another's. What doesn't fit is left out: by all, since `told` is the same.
 *
 * @param misfit told of that
 */
export function changeHeard(
  standing: Standing,
  change: TollgateChange,
  id: string,
  misfit: (error: unknown) => void,
): Standing {
  const { told, own, present } = standing;
  const at = own.findIndex((one) => one.id === id);
  // Those that were told before it and not heard have been lost.
  const left = own.filter((one, i) => i > at || one.id === undefined);
  const next = onTop(told, change, misfit);
  if (next === told && at === -1) return standing;
  return inPlace({ told: next, own: left, present: at === 0 ? present : withOwn(next, left) });
}

/** A change of this process's that could not be told. */
export function changeNotTold({ told, own, present }: Standing, id: string): Standing {
  return inPlace({
    told,
    own: own.map((one) => (one.id === id ? { id: undefined, change: one.change } : one)),
    present,
  });
}

/** Puts what nobody is told of in its place, once nothing that was changed before it is still to be heard. */
function inPlace({ told, own, present }: Standing): Standing {
  const first = own.findIndex(({ id }) => id !== undefined);
  if (first === -1) return { told: present, own: [], present };
  return { told: withOwn(told, own.slice(0, first)), own: own.slice(first), present };
}

function withOwn(told: Changed, own: readonly Own[]): Changed {
  return own.reduce((before, { change }) => onTop(before, change), told);
}

function onTop(before: Changed, change: TollgateChange, misfit?: (error: unknown) => void): Changed {
  try {
    return changed(before.source, change);
  } catch (error) {
    misfit?.(error);
    return before;
  }
}
