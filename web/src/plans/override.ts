// More or less of a feature than a plan gives, as a form has it and as the server takes it.
import type { VariablesOf } from '../gql/graphql';
import type { Entitlement, Membership } from '../plan/fragments';
import { amount, featureName, type Features } from '../plan/words';
import { dateTime } from '../format/time';
import type { OVERRIDE } from './operations';

type Input = VariablesOf<typeof OVERRIDE>['input'];
export type Override = Membership['overrides'][number];

export interface Draft {
  feature: string;
  kind: Entitlement['kind'];
  on: boolean;
  value: string;
  /** Any number. */
  any: boolean;
  /** As typed. */
  limit: string;
  /** As a field for a local date and time has it: empty for never. */
  expires: string;
  reason: string;
}

export function overrideInput(user: string, d: Draft): Input {
  const text = d.kind === 'STATIC' ? d.value.trim() : '';
  const limited = d.kind !== 'BOOLEAN' && !text && !d.any;
  return {
    user,
    feature: {
      feature: d.feature,
      on: d.kind === 'BOOLEAN' && d.on,
      value: text,
      limit: limited ? Number(d.limit) : null,
      onOver: 'BLOCK_NEW',
      reset: 'PERIOD',
      rollover: 0,
    },
    expiresAt: d.expires ? new Date(d.expires).toISOString() : null,
    reason: d.reason.trim(),
    clear: false,
  };
}

export function clearInput(user: string, { feature, on, value, limit }: Override): Input {
  return {
    user,
    feature: { feature, on, value, limit, onOver: 'BLOCK_NEW', reset: 'PERIOD', rollover: 0 },
    expiresAt: null,
    reason: '',
    clear: true,
  };
}

/** What an override says: `Documents: 500, until 2 Jan 2026, 10:00`. */
export function overrideWords(o: Override, features: Features): string {
  const feature = features.get(o.feature);
  const has = feature?.kind === 'BOOLEAN' ? (o.on ? 'yes' : 'no') : o.value || (o.limit === null ? 'any number' : amount(o.limit, feature?.unit));
  return `${featureName(features, o.feature)}: ${has}${o.expiresAt ? `, until ${dateTime(o.expiresAt)}` : ''}`;
}
