/** Plays commands to a gate and its ledger, and sees that they agree. */
import type { Decision, TokenCounts } from '@tollgate/core';
import { type Books, FEATURES, MODELS, PLANS } from './ledger-books.js';
import {
  bodyOf,
  type Command,
  type Ending,
  type Held,
  requestOf,
  type Spec,
  settlement,
  wantOf,
} from './ledger-requests.js';
import { changeTo, correct, dueOf, type Lot, type Offer } from './oracle-ledger.js';
import type { Witness } from './scattered-store.js';

/** Does what is commanded to the gate, and to the ledger as the store's steps are done. */
export function player({ gate, clock, wire, terms, ledger }: Books) {
  const all: Held[] = [];
  const broken: unknown[] = [];

  function act(steps: Witness, ask: () => Promise<void>): void {
    wire.within(steps, ask).catch((error) => broken.push(error));
  }

  /** What the store takes is what the ledger takes. */
  function taking(offersAt: (now: number) => readonly Offer[], then: (taken: number, lots: Lot[]) => void) {
    return (now: number): ReturnType<NonNullable<Witness['take']>> => {
      const offers = offersAt(now);
      return (result) => {
        const { taken, lots } = ledger.take(offers, now);
        expect('taken' in result ? result.taken : -1).toBe(taken);
        then(taken, lots);
      };
    };
  }

  /** A first charge. */
  function opening(spec: Spec) {
    const want = wantOf(spec);
    let offers: Offer[];
    let held: Held | undefined;
    let at: number;
    const take = taking(
      (now) => {
        at = now;
        offers = ledger.offers(want, now);
        return offers;
      },
      (taken, lots) => {
        if (taken >= 0) held = { at, want, ...offers[taken], lots, state: 'open', changing: false };
      },
    );
    return { take, held: () => held };
  }

  function decided(decision: Decision, held: Held | undefined): void {
    expect(decision.admitted).toBe(held !== undefined);
    if (!decision.admitted) expect(['budget', 'too-costly']).toContain(decision.refusal.reason);
    if (!decision.admitted || !held) return;
    expect(decision.admission.model).toBe(held.model);
    expect(decision.admission.degraded).toBe(held.model !== held.want.who.model);
    held.handle = decision.admission;
    if (!all.includes(held)) all.push(held);
  }

  function admit(spec: Spec): void {
    const { take, held } = opening(spec);
    act({ owner: {}, take }, async () => decided(await gate.admit(requestOf(spec), { body: bodyOf(spec) }), held()));
  }

  /** Nothing is changed once an admission has been settled; what was charged for that meanwhile is given back. */
  async function changing(held: Held, ask: () => Promise<void>): Promise<void> {
    const wasOpen = held.state === 'open';
    held.changing = true;
    try {
      await ask();
      expect(wasOpen).toBe(true);
    } catch (error) {
      if (wasOpen && held.state === 'open') throw error;
      expect(error).toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    } finally {
      held.changing = false;
    }
  }

  function givingBack(lots: () => readonly Lot[]) {
    return (now: number) => () =>
      correct(
        lots(),
        lots().map(() => 0n),
        now,
      );
  }

  function extend(held: Held, tokens: TokenCounts): void {
    const { who } = held.want;
    const want = { who, tokens, mostOutput: tokens.outputTokens ?? 0 };
    let more: { taken: number; lots: Lot[] };
    const take = taking(
      // At the prices that its admission has.
      () => [ledger.more(want, held.model, held.at)],
      (taken, lots) => {
        more = { taken, lots };
        if (taken < 0 || held.state !== 'open') return;
        held.lots = [...held.lots, ...lots];
        held.tokens = {
          inputTokens: (held.tokens.inputTokens ?? 0) + (tokens.inputTokens ?? 0),
          outputTokens: (held.tokens.outputTokens ?? 0) + (tokens.outputTokens ?? 0),
        };
      },
    );
    act({ owner: held, take, settle: givingBack(() => more.lots) }, () =>
      changing(held, async () => {
        const decision = await held.handle?.extend(tokens);
        expect(decision?.admitted).toBe(more.taken === 0);
      }),
    );
  }

  function amend(held: Held, spec: Spec): void {
    const want = wantOf(spec);
    const before = held.lots;
    const at = clock.now();
    const ways = ledger.offers(want, at).map((offer) => changeTo(before, offer));
    const afresh = opening(spec);
    let extra: Lot[] = [];
    let way = ways[0].lacking.charges.length === 0 ? ways[0] : undefined;
    let isRefused = false;
    /** It is what it is changed to from here on, though what that gives back is booked yet. */
    const change = () => {
      if (held.state !== 'open' || !way) return;
      const { model, tokens } = way.offer;
      for (const [i, lot] of before.entries()) lot.charged = way.due[i];
      Object.assign(held, { want, model, tokens, lots: [...before, ...extra], at });
      if (!way.given) forget(way);
    };
    /** What it does not stand for any more has no part in how it ends. */
    const forget = ({ offer }: typeof way & object) => {
      const gone = before.filter(
        (lot) => lot.booked === 0n && !offer.charges.some(({ account }) => account === lot.account),
      );
      held.lots = held.lots.filter((lot) => !gone.includes(lot));
    };
    const lack = taking(
      () => ways.map(({ lacking }) => lacking),
      (taken, lots) => {
        way = ways[taken];
        isRefused = way === undefined;
        extra = lots;
        change();
      },
    );
    const settle = (now: number) => {
      if (!isRefused && held.state !== 'open') return givingBack(() => extra)(now);
      if (isRefused) held.state = 'settled';
      const changed = isRefused ? undefined : way;
      const due = changed?.due ?? before.map(() => 0n);
      return () => {
        correct(before, due, now);
        if (changed) forget(changed);
      };
    };
    change();
    act({ owner: held, take: (now) => (isRefused ? afresh.take(now) : lack(now)), settle }, () =>
      changing(held, async () => {
        const extending = held.handle;
        const decision = await gate.admit(requestOf(spec), { body: bodyOf(spec), extending });
        if (decision.admitted && decision.admission === extending) expect(isRefused).toBe(false);
        decided(decision, isRefused ? afresh.held() : held);
      }),
    );
  }

  function end(held: Held, ending: Ending, provisional: boolean): void {
    const { outcome, total } = settlement(held, ending);
    const { state, lots } = held;
    const counts = state === 'open' || (state === 'provisional' && !provisional);
    const after = provisional ? 'provisional' : 'settled';
    const charged = total === undefined ? lots.map((lot) => lot.charged) : dueOf(lots, total);
    const due = outcome.outcome === 'ignored' ? lots.map(() => 0n) : charged;
    const settle = (now: number) => {
      expect(counts).toBe(true);
      return () => correct(lots, due, now);
    };
    if (counts) {
      held.state = after;
    }
    act({ owner: held, settle }, async () => {
      await (provisional ? held.handle?.conclude(outcome) : held.handle?.settle(outcome));
    });
  }

  /** Every budget stands as the ledger has it. */
  async function audit(): Promise<void> {
    await new Promise(setImmediate);
    if (broken.length > 0) throw broken[0];
    const [stands, should]: [Record<string, bigint>, Record<string, bigint>] = [{}, {}];
    let i = 0;
    for (const [user, plan] of Object.entries(PLANS)) {
      for (const feature of FEATURES) {
        const who = { user, feature, model: MODELS[i++ % MODELS.length] };
        const { budgets } = await gate.inspect({ user, plan }, who);
        for (const { layer, key, used } of budgets) {
          const name = [layer, ...key].join('/');
          const own = terms.find((one) => one.name === layer);
          stands[name] = BigInt(used);
          should[name] = own ? ledger.spent(own, who, clock.now()) : -1n;
        }
      }
    }
    expect(stands).toEqual(should);
  }

  function command(one: Command): void {
    const held = 'nth' in one ? all[one.nth % all.length] : undefined;
    // No step is under way for hours, though admissions are open for weeks.
    if (one.do === 'advance') clock.advance(wire.waiting() > 0 ? one.ms % 15_000 : one.ms);
    else if (one.do === 'admit') admit(one.spec);
    else if (one.do === 'run') wire.run(one.nth);
    else if (held && one.do === 'end') end(held, one.ending, one.provisional);
    else if (held && !held.changing && one.do === 'extend') extend(held, one.tokens);
    else if (held && !held.changing && one.do === 'amend') amend(held, one.spec);
  }

  async function drain(nths: readonly number[] = [0]): Promise<void> {
    for (let i = 0; wire.waiting() > 0; i++) {
      wire.run(nths[i % nths.length]);
      await audit();
    }
  }

  return { command, audit, drain, all };
}
