/** The seam between deciding and keeping. Stores know charges and rows; limits by plan, tiers and HTTP are not theirs. */
import type { Booking } from '../meters/booking.js';
import type { Bill, Charge, Key, Meter, Rule, Usage, Who } from '../meters/meter.js';
import type { May } from '../request.js';

/** One way to serve a request, with all that it would be charged. */
export interface Alternative {
  /** What is served this way, such as a model. */
  readonly name: string;
  /** Who is charged. */
  readonly who: Who;
  /** One for each scope, and in it no meter twice. */
  readonly bills: readonly Bill[];
}

export interface TakeRequest {
  /** Best first. The first of which every charge fits is taken. */
  readonly alternatives: readonly Alternative[];
  /** What its meters say once it is charged is wanted too. */
  readonly tells?: boolean;
  /** Of a request that goes by a line: who waits for a meter goes before all whose score is greater. */
  readonly score?: number | undefined;
}

/**
 * What one charge came to. A store that settles it brings it up to date; before that its owner gives the charge the rule
 * that holds then, where a period has ended meanwhile.
 */
export interface Entry extends Booking {
  charge: Charge;
  readonly who: Who;
  /** Of a budget, what counted on it after this had been booked or settled: somebody may have to be told. */
  used: number | undefined;
  /** Where the store has charged it, such as JSON can say: it is handed over, and so are numbers of the store's own. */
  readonly origin?: object | undefined;
}

/**
 * What an admission was charged and where. Its owner keeps it and settles it, by the entries themselves and by no copies: a
 * store may learn late what a step of theirs came to. What one record holds stands together.
 */
export type Receipt = readonly Entry[];

/** All charges of one alternative were made. */
export interface Taken {
  /** The alternative's index. */
  readonly taken: number;
  readonly receipt: Receipt;
  /** Shadow charges that did not fit, and so were not made. */
  readonly shadowRefused: readonly Usage[];
  /** What the alternative's meters say now, where that was wanted. */
  readonly usages?: readonly Usage[] | undefined;
}

/** Nothing was charged. */
export interface NotTaken {
  /** For each alternative what each of its meters said; `waitMs` above 0 is a reason. */
  readonly refused: readonly (readonly Usage[])[];
}

/** What was seen of a meter of headroom: what a provider said of it as it answered an admission. */
export interface Seen {
  readonly meter: Meter;
  readonly who: Who;
  /** By the limit as it is known now. */
  readonly rule: Extract<Rule, { kind: 'headroom' }>;
  /** What the admission was charged there; `undefined` where that is nothing that this store knows of. */
  readonly entry: Entry | undefined;
  /** What they had counted by then; `undefined` where they didn't say. */
  readonly used: number | undefined;
  readonly limit: number;
  /** For how long nothing is to pass; 0 opens. `undefined` where they didn't say. */
  readonly shutMs: number | undefined;
}

/**
 * Every step is atomic, also against the same step from elsewhere, and steps for one receipt take effect in the order in
 * which they are asked for. `now` is the gate's time, in milliseconds since 1970.
 */
export interface Store {
  /** Charges the first alternative that fits as a whole, or nothing. */
  take(request: TakeRequest, now: number): May<Taken | NotTaken>;
  /**
   * Puts `actual[i]` in place of the cost of `entries[i]`. Never refuses: what is above the estimate is booked. What can't
   * be given back any more stays booked, and the entry's cost says so.
   *
   * @param goesOn the admission is not at its end: what it keeps can still be given back
   */
  settle(entries: Receipt, actual: readonly number[], now: number, goesOn?: boolean): May<void>;
  /** What the meters would say to these charges. Charges nothing. */
  peek(who: Who, bills: readonly Bill[], now: number): May<readonly Usage[]>;
  /** Corrects meters of headroom by what was seen of them. True where that has left more room. Needed for such alone. */
  observe?(seen: readonly Seen[], now: number): May<boolean>;
  /**
   * Charges all of it from what was charged ahead for this process, asking nobody, or nothing where that is not enough. Of
   * stores that charge ahead.
   */
  readonly takeLeased?: ((charges: readonly Charge[], who: Who, now: number) => Receipt | undefined) | undefined;
  /** Throws for meters that it can't keep: asked as a gate is made. */
  check?(meters: readonly Meter[]): void;
  /** Of stores that keep more than meters. */
  readonly records?: Records | undefined;
  /** Of stores that several processes can share. */
  readonly shared?: Shared | undefined;
  /** Of stores by which the lines of several processes keep one order. */
  readonly line?: SharedLine | undefined;
  /**
   * Of stores that have a line: the same place once more, for one more gate with a line. Others are told a single score of who
   * waits in a store, so each line goes by a store of its own; who wraps a store wraps those, too.
   */
  readonly join?: (() => Store) | undefined;
  /** Of stores that are sharded: the same place in one shard, for a gate whose requests have nothing to be sharded by. */
  readonly unsharded?: Store | undefined;
  /** Each gate that closes calls it; others that share the store may go on. */
  close(): May<void>;
}

/**
 * Texts that are kept by name, in collections, each until its time is over: what is no meter, such as API keys. `now` is
 * in milliseconds since 1970; a store that has a time of its own goes by that.
 */
export interface Records {
  get(collection: string, name: string, now: number): May<string | undefined>;
  /** False where something else stands in its place than it was to replace: nothing was put then. */
  put(put: Put, now: number): May<boolean>;
  /** All of a collection, by name. */
  list(collection: string, now: number): May<ReadonlyMap<string, string>>;
}

export interface Put {
  readonly collection: string;
  readonly name: string;
  /** What it replaces; `undefined`: nothing must have that name. */
  readonly was: string | undefined;
  readonly text: string;
  /** For how many milliseconds, above 0, it is kept from now on. */
  readonly ttlMs: number;
}

/** What processes tell each other by the store that they share. Gates are told apart by their names. */
export interface Shared {
  /** In how many processes a gate of that name listens, as far as is known here; 1 or more. */
  instances(gate: string): number;
  /** True for the one process that is the first to ask for a name, until `ttlMs` have passed. */
  claim(name: string, ttlMs: number): Promise<boolean>;
  /**
   * Tells all gates of a name that listen, this process's too, within about a second, and those that begin to listen until
   * `ttlMs` have passed. Where it fails they may have been told.
   */
  publish(gate: string, message: string, ttlMs: number): Promise<void>;
  /** Calls `listener` with what gates of that name publish, in one order for all. Returns what ends that. */
  listen(gate: string, listener: (message: string) => void): () => void;
}

/**
 * What the lines of processes that share a store tell each other, so that room goes to who is first in all of them. A take
 * that has a score is not made where it fits, but somebody waits elsewhere for one of its meters who goes first: of that
 * meter the usage says `isBehind`, and who goes first is told that there may be room.
 */
export interface SharedLine {
  /** The score of the first that waits here for a meter at a key; `undefined`: nobody does. */
  waits(meter: Meter, key: Key, score: number | undefined): void;
  /**
   * Calls `listener` where the first that waits here goes before all elsewhere, and there may be room. It may fail to, so
   * those who wait are to be tried from time to time. Returns what ends that.
   */
  onRoom(listener: (meter: Meter, key: Key) => void): () => void;
}
