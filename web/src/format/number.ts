const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** A count: `12,345`. */
export function count(n: number): string {
  return whole.format(n);
}

/** Minutes of delay with one decimal and a real minus: `−3.2 min`. A dash when unknown. */
export function minutes(n: number | null): string {
  return n === null ? '–' : `${tenth.format(n).replace(/^-/, '−').replace(/^−0\.0$/, '0.0')} min`;
}

/** An amount in the currency's own way: `$9`, `€12.50`. */
export function price(amountMinor: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, trailingZeroDisplay: 'stripIfInteger' });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amountMinor / 10 ** digits);
}
