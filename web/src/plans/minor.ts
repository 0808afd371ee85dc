/** An amount as people type it, in the smallest unit of its currency: null for nothing typed, undefined for what is none. */
export function minor(text: string, currency: string): number | null | undefined {
  const typed = text.trim().replace(',', '.');
  if (typed === '') return null;
  const digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  const [, whole, part = ''] = /^(\d{1,12})(?:\.(\d+))?$/.exec(typed) ?? [];
  if (whole === undefined || part.length > digits) return undefined;
  return Number(whole + part.padEnd(digits, '0')) || undefined;
}
