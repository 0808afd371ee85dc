// Plans in words for people: prices, periods, limits, states.
import { count, price } from '../format/number';
import { humanize, plural } from '../format/text';
import type { Entitlement, Membership, PlanFeature, Price } from './fragments';
import type { Feature } from './operations';

type Every = Price['every'];

/** What is known of a feature by its key. */
export type Features = ReadonlyMap<string, Feature>;

export function featureName(features: Features, key: string): string {
  return features.get(key)?.name || humanize(key);
}

/** An amount of money with a real minus: `€9`, `−€4.50`. */
export function money({ amountMinor, currency }: { amountMinor: number; currency: string }): string {
  // Who never had to do with money has a balance in no currency.
  if (!currency) return count(amountMinor / 100);
  return price(amountMinor, currency).replace(/^-/, '−');
}

const units: Record<Every['unit'], { one: string; often: string }> = {
  DAY: { one: 'day', often: 'Daily' },
  MONTH: { one: 'month', often: 'Monthly' },
  YEAR: { one: 'year', often: 'Yearly' },
};

/** How often something is paid: `Monthly`, `Every 3 months`. */
export function oftenWords({ n, unit }: Every): string {
  return n === 1 ? units[unit].often : `Every ${plural(n, units[unit].one)}`;
}

/** What it costs for how long: `€9 a month`, `€25 for 3 months`. */
export function priceWords(p: { amountMinor: number; currency: string; every: Every }): string {
  const { n, unit } = p.every;
  return `${money(p)} ${n === 1 ? `a ${units[unit].one}` : `for ${plural(n, units[unit].one)}`}`;
}

const bytes = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** So many of a unit: `1,000`, `3 levels`, `10 MB`. */
export function amount(n: number, unit = ''): string {
  if (unit !== 'bytes') return unit ? `${count(n)} ${unit}` : count(n);
  const power = n > 0 ? Math.min(Math.floor(Math.log10(n) / 3), bytes.length - 1) : 0;
  return `${new Intl.NumberFormat('en', { maximumFractionDigits: 1 }).format(n / 1000 ** power)} ${bytes[power] ?? ''}`;
}

const resets: Record<PlanFeature['reset'], string> = { PERIOD: 'each period', CALENDAR_MONTH: 'each calendar month', NEVER: 'in all' };

/** What a plan has of a feature, such as `Documents: 200`; null for what it does not have. */
export function ruleWords(rule: PlanFeature, features: Features, paid?: Price): string | null {
  const feature = features.get(rule.feature);
  const name = featureName(features, rule.feature);
  if (feature?.kind === 'BOOLEAN') return rule.on ? name : null;
  if (rule.value) return `${name}: ${rule.value}`;
  if (rule.limit === null) return `${name}: no limit`;
  const words = [`${name}: ${amount(rule.limit, feature?.unit)}`];
  if (feature?.kind === 'METERED') words.push(` ${resets[rule.reset]}`);
  if (rule.rollover > 0) words.push(`, up to ${amount(rule.rollover, feature?.unit)} of what is left carried over`);
  if (rule.onOver === 'READ_ONLY') words.push('; above that nothing can be changed');
  if (rule.onOver === 'ALLOW_BILL') words.push(`; above that ${overageWords(rule.feature, paid)}`);
  return words.join('');
}

function overageWords(feature: string, paid?: Price): string {
  const each = paid?.overages.find((o) => o.feature === feature);
  return paid && each ? `${money({ ...each, currency: paid.currency })} each` : 'it goes on';
}

type Status = Membership['status'];

export const statuses: Record<Status, { label: string; color: string }> = {
  TRIALING: { label: 'On trial', color: 'blue' },
  ACTIVE: { label: 'Active', color: 'teal' },
  PAST_DUE: { label: 'Payment overdue', color: 'red' },
  CANCELED: { label: 'Ends soon', color: 'yellow' },
  EXPIRED: { label: 'Over', color: 'gray' },
  SUSPENDED: { label: 'On hold', color: 'orange' },
};

/** What comes next if nobody does anything; null when nothing does. day says an instant. */
export function nextWords(m: Membership, day: (at: string) => string): string | null {
  switch (m.status) {
    case 'TRIALING':
      return `The trial of ${m.chosen.name} goes on until ${day(m.until ?? m.periodEnd)}.`;
    case 'ACTIVE':
      return m.price && !m.pending ? `It renews on ${day(m.periodEnd)}.` : null;
    case 'PAST_DUE':
      return m.until ? `The next period is not paid. ${m.plan.name} stays until ${day(m.until)}.` : 'The next period is not paid.';
    case 'CANCELED':
      return `${m.chosen.name} ends on ${day(m.until ?? m.periodEnd)} and is not renewed.`;
    case 'EXPIRED':
      return `${m.chosen.name} is over: ${m.plan.name} applies.`;
    case 'SUSPENDED':
      return `An administrator has put ${m.chosen.name} on hold: ${m.plan.name} applies.`;
  }
}

/** What is owed, or to somebody's credit; null for neither. */
export function balanceWords(balance: Membership['balance']): string | null {
  if (balance.amountMinor === 0) return null;
  return balance.amountMinor > 0
    ? `${money(balance)} is owed.`
    : `A credit of ${money({ ...balance, amountMinor: -balance.amountMinor })} pays what comes next.`;
}

/** How much of a limit is used: `1,200 of 1,000`, `7 used, no limit`. */
export function usedWords({ used, limit, carried }: Entitlement, unit?: string): string {
  if (limit === null) return `${amount(used, unit)} used, no limit`;
  return `${count(used)} of ${amount(limit + carried, unit)}`;
}

/** The rest of what there is to know of a use, part by part. day says an instant. */
export function useDetails(e: Entitlement, unit: string | undefined, day: (at: string) => string): string[] {
  const words: string[] = [];
  if (e.remaining !== null && e.overage === 0) words.push(`${amount(e.remaining, unit)} left`);
  if (e.overage > 0) words.push(`${amount(e.overage, unit)} above the limit`);
  if (e.reserved > 0) words.push(`${amount(e.reserved, unit)} reserved`);
  if (e.carried > 0) words.push(`${amount(e.carried, unit)} carried over`);
  if (e.resetsAt) words.push(`from 0 again on ${day(e.resetsAt)}`);
  if (e.source === 'override') words.push(e.until ? `an exception until ${day(e.until)}` : 'an exception');
  return words;
}

/** How much of a bar the used and the reserved part fill, in percent. */
export function fill({ used, reserved, limit, carried }: Entitlement): { used: number; reserved: number } {
  if (limit === null) return { used: 0, reserved: 0 };
  const whole = limit + carried;
  if (whole <= 0) return { used: 100, reserved: 0 };
  const share = Math.min((used / whole) * 100, 100);
  return { used: share, reserved: Math.min((reserved / whole) * 100, 100 - share) };
}

const sources: Record<string, string> = { plan: 'by the plan', default: 'by the default plan', override: 'by an exception', none: 'not in the plan' };

/** What says so: `by the plan`. */
export function sourceWords({ source, until }: Entitlement, day: (at: string) => string): string {
  return `${sources[source] ?? source}${until ? ` until ${day(until)}` : ''}`;
}

/** What somebody has of a feature without a count: `Yes`, `No`, its text or its number. */
export function hasWords(e: Entitlement, unit?: string): string {
  if (e.kind === 'BOOLEAN') return e.on ? 'Yes' : 'No';
  if (e.value) return e.value;
  if (e.limit === null) return 'No limit';
  return e.source === 'none' ? 'No' : amount(e.limit, unit);
}
