// A change that somebody thinks about: what to ask for, and what its answer means.
import type { Problem } from '../api/problem';
import { plural } from '../format/text';
import type { Membership, Plan, Price } from './fragments';
import type { Addon, ChangeMode, ChangePreview, PreviewInput } from './operations';

/** What is to be bought: a plan by one of its prices, or so many of an add-on. */
export type Wish = { plan: Plan; price: Price | undefined } | { addon: Addon; quantity: number };

export interface Options {
  mode: ChangeMode;
  coupon: string;
}

export const plain: Options = { mode: 'AUTO', coupon: '' };

/** The question for the server. Only who begins to pay says in which zone months begin: others keep theirs. */
export function question(wish: Wish, { mode, coupon }: Options, m: Membership | undefined, zone: string): PreviewInput {
  if ('addon' in wish) return { addon: wish.addon.key, quantity: wish.quantity, mode };
  const { plan, price } = wish;
  return {
    plan: plan.id,
    price: price?.key ?? null,
    mode,
    coupon: coupon.trim() || null,
    quantity: 1,
    timeZone: price && begins(m) ? zone : null,
  };
}

/** Whether a paid period begins with a change that is made now. */
export function begins(m: Membership | undefined): boolean {
  return !m || m.price === '' || m.status === 'EXPIRED';
}

/** Whether the change comes at once. */
export function atOnce({ now, effectiveAt }: Pick<ChangePreview, 'now' | 'effectiveAt'>): boolean {
  return Date.parse(effectiveAt) <= Date.parse(now);
}

/** What is said of a plan that begins with a trial; null for a change without one. The preview has no line for what is not charged yet. */
export function trialWords(wish: Wish, preview: Pick<ChangePreview, 'now' | 'effectiveAt' | 'lines'>, priced: (price: Price) => string): string | null {
  if (!('plan' in wish) || !wish.price || wish.plan.trialDays === 0 || preview.lines.length > 0 || !atOnce(preview)) return null;
  return `It begins with a trial of ${plural(wish.plan.trialDays, 'day')}; after that it is ${priced(wish.price)}.`;
}

/** Whether a failure to take a preview up says that another preview is needed. */
export function isOld({ code }: Problem): boolean {
  return code === 'PREVIEW_EXPIRED' || code === 'PLAN_STALE';
}

/** What is asked for, said before it is taken up. */
export function dueWords(preview: ChangePreview, money: (m: ChangePreview['due']) => string): string {
  if (preview.due.amountMinor > 0) return `${money(preview.due)} to pay ${atOnce(preview) ? 'now' : 'then'}`;
  return preview.net.amountMinor < 0 ? 'Nothing to pay; the rest becomes a credit' : 'Nothing to pay now';
}
