import { plural } from '../format/text';
import { dateTime } from '../format/time';
import { money } from '../plan/words';
import { Panel } from '../ui/Panel';
import { Row, Rows } from '../ui/Rows';
import type { Catalogue } from './operations';

type Coupon = Catalogue['coupons'][number];

/** The coupons, and how often each was redeemed. */
export function CouponsPanel({ coupons }: { coupons: Coupon[] }) {
  if (coupons.length === 0) return null;
  return (
    <Panel title="Coupons" data-testid="coupons">
      <Rows label="Coupons">
        {coupons.map((c) => (
          <Row key={c.key} title={c.name ? `${c.key} (${c.name})` : c.key} detail={couponWords(c)} />
        ))}
      </Rows>
    </Panel>
  );
}

function couponWords(c: Coupon): string {
  return [
    c.percent > 0 ? `${c.percent} % off` : `${c.off.map(money).join(' or ')} off`,
    c.periods > 0 ? `for ${plural(c.periods, 'period')}` : 'for all periods',
    c.plans.length > 0 && `for ${c.plans.join(', ')}`,
    c.most > 0 ? `redeemed ${c.redeemed} of ${plural(c.most, 'time')}` : `redeemed ${plural(c.redeemed, 'time')}`,
    c.until && `to be redeemed before ${dateTime(c.until)}`,
  ]
    .filter(Boolean)
    .join(' · ');
}
