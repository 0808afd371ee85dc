import { useMemo } from 'react';

import type { ChannelInput } from '../live/message';
import { useLive } from '../live/useLive';
import { useSocketState } from '../session/SocketProvider';
import type { Entitlement, Membership } from './fragments';
import { isCounted, withUsage } from './usage';

export interface Standing {
  membership: Membership;
  entitlements: Entitlement[];
}

/** Follows where somebody stands from what was read: the membership, what it allows, and each use. */
export function useStanding(read: Standing, user: string | null): Standing {
  const features = read.entitlements.filter(isCounted).map((e) => e.feature);
  const key = features.join(' ');
  const channels = useMemo((): ChannelInput[] => {
    const whose = user ? { user } : {};
    const counted = key ? [{ key: 'usage', usage: { ...whose, features: key.split(' ') } }] : [];
    return [{ key: 'entitlements', entitlements: whose }, ...counted];
  }, [key, user]);
  const { channels: followed } = useLive(channels);
  const open = useSocketState().phase === 'open';
  const { entitlements, usage } = followed;
  // While it is not known to be as it is, what was read has to do.
  const told = open && entitlements?.phase === 'live' && entitlements.data?.__typename === 'EntitlementList' ? entitlements.data : null;
  const used = open && usage?.phase === 'live' && usage.data?.__typename === 'UsageList' ? usage.data.usage : null;
  // A mutation of this page may be read before it is told.
  const newer = told && told.membership.version >= read.membership.version ? told : read;
  return { membership: newer.membership, entitlements: withUsage(newer.entitlements, used) };
}
