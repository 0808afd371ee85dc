const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });

/** A count: `12,345`. */
export function count(n: number): string {
  return whole.format(n);
}

/** Minutes of delay with one decimal and a real minus: `−3.2 min`. A dash when unknown. */
export function minutes(n: number | null): string {
  return n === null ? '–' : `${tenth.format(n).replace(/^-/, '−').replace(/^−0\.0$/, '0.0')} min`;
}

/** A number of any size on an axis: `1.2K`. */
export function compact(n: number): string {
  return short.format(n).replace(/^-/, '−');
}

/** A measured number, the more exact the smaller it is: `12,345`, `17.3`, `0.042`. A dash when unknown. */
export function figure(n: number | null): string {
  if (n === null) return '–';
  const digits = Number.isInteger(n) || Math.abs(n) >= 1000 ? 0 : Math.abs(n) >= 10 ? 1 : 3;
  return new Intl.NumberFormat('en', { maximumFractionDigits: digits }).format(n).replace(/^-/, '−');
}

/** A share from 0 to 1: `12.3 %`. */
export function percent(share: number): string {
  return `${new Intl.NumberFormat('en', { maximumFractionDigits: 1 }).format(share * 100)} %`;
}

/** An amount in the currency's own way: `$9`, `€12.50`. */
export function price(amountMinor: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, trailingZeroDisplay: 'stripIfInteger' });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amountMinor / 10 ** digits);
}
