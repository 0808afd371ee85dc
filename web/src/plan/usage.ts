// What somebody may use, as it was read and as it was told since.
import type { Entitlement } from './fragments';

/** The entitlements with the newest numbers of those that are counted. */
export function withUsage(all: readonly Entitlement[], usage: readonly Entitlement[] | null): Entitlement[] {
  const newer = new Map(usage?.map((e) => [e.feature, e]));
  return all.map((e) => newer.get(e.feature) ?? e);
}

export function isCounted({ kind }: Pick<Entitlement, 'kind'>): boolean {
  return kind === 'COUNTED' || kind === 'METERED';
}
