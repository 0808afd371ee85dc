// Which price of a plan is meant, and what a plan has with what the default plan gives to all.
import type { Membership, Plan, PlanFeature, Price } from './fragments';
import type { Addon } from './operations';
import { oftenWords } from './words';

/** A length of period in a currency: the key of a price. */
export interface Choice {
  value: string;
  label: string;
}

const days = { DAY: 1, MONTH: 30, YEAR: 365 };

/** The lengths and currencies that are on offer, the shortest first. */
export function choices(plans: readonly Plan[]): Choice[] {
  const prices = new Map(plans.flatMap((p) => p.prices.map((price) => [price.key, price] as const)));
  const currencies = new Set([...prices.values()].map((p) => p.currency));
  return [...prices.values()]
    .toSorted((a, b) => a.currency.localeCompare(b.currency) || length(a) - length(b))
    .map((p) => ({ value: p.key, label: currencies.size > 1 ? `${oftenWords(p.every)}, ${p.currency}` : oftenWords(p.every) }));
}

function length({ every }: Pick<Price, 'every'>): number {
  return every.n * days[every.unit];
}

/** The price of a plan by the choice, or else its first one; undefined for a plan that costs nothing. */
export function priceOf(plan: Pick<Plan, 'prices'>, choice: string | undefined): Price | undefined {
  return plan.prices.find((p) => p.key === choice) ?? plan.prices[0];
}

/** What an add-on costs with the price that is paid: renewed together, it has to be of the same length. */
export function addonPrice({ prices, recurring }: Addon, paid: string): Addon['prices'][number] | undefined {
  return prices.find((p) => p.key === paid) ?? (recurring && paid ? undefined : prices[0]);
}

/** What a plan has: what it says itself, and what the default plan says of the rest; in the order of that one, so that plans compare. */
export function rules(plan: Plan, plans: readonly Plan[]): PlanFeature[] {
  const all = plans.find((p) => p.isDefault && p.current)?.features ?? [];
  const own = new Map(plan.features.map((f) => [f.feature, f]));
  const inherited = new Set(all.map((f) => f.feature));
  return [...all.map((f) => own.get(f.feature) ?? f), ...plan.features.filter((f) => !inherited.has(f.feature))];
}

/** How a plan on offer stands to the one somebody has. */
export type Stand = 'mine' | 'other-price' | 'other-version' | 'pending' | 'up' | 'down';

export function stand(plan: Plan, price: Price | undefined, m: Membership | undefined, plans: readonly Plan[]): Stand {
  if (!m) return 'up';
  if (m.pending?.plan.id === plan.id && m.pending.price === (price?.key ?? '')) return 'pending';
  const has = m.status === 'EXPIRED' ? m.plan.id : m.chosen.id;
  if (plan.id === has) return (price?.key ?? '') === m.price || m.status === 'EXPIRED' ? 'mine' : 'other-price';
  if (plan.key === m.chosen.key && m.status !== 'EXPIRED') return 'other-version';
  const rank = plans.find((p) => p.id === has)?.rank;
  return rank === undefined || plan.rank >= rank ? 'up' : 'down';
}
