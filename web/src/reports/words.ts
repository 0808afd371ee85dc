// The words of reports.
import { figure, percent } from '../format/number';
import type { Aggregate, Compare, Fill, Step, Weekday } from './draft';
import type { ReadReport } from './operations';

export const aggregateWords: Record<Aggregate, string> = {
  COUNT: 'Number of events',
  RATE: 'Events a second',
  SUM: 'Sum',
  AVG: 'Mean',
  MIN: 'Least',
  MAX: 'Greatest',
  LAST: 'Latest',
  UNIQUE: 'Different ones',
  QUANTILE: 'Quantile',
};

export const stepWords: Record<Step, string> = {
  MINUTE: 'Minute',
  HOUR: 'Hour',
  DAY: 'Day',
  WEEK: 'Week',
  MONTH: 'Month',
  QUARTER: 'Quarter',
  YEAR: 'Year',
};

export const weekdayWords: Record<Weekday, string> = {
  MONDAY: 'Monday',
  TUESDAY: 'Tuesday',
  WEDNESDAY: 'Wednesday',
  THURSDAY: 'Thursday',
  FRIDAY: 'Friday',
  SATURDAY: 'Saturday',
  SUNDAY: 'Sunday',
};

export const fillWords: Record<Fill, string> = {
  NONE: 'Left out',
  ZERO: '0',
  NULL: 'A gap',
  PREVIOUS: 'The value before',
};

export const compareWords: Record<Compare, string> = {
  NONE: 'Nothing',
  PREVIOUS_PERIOD: 'The time before',
  PREVIOUS_YEAR: 'A year before',
};

const sourceWords: Record<ReadReport['source'], string> = {
  ROLLUP_1M: 'numbers by the minute',
  ROLLUP_1H: 'numbers by the hour',
  ROLLUP_1D: 'numbers by the day',
  EVENTS: 'the events themselves',
};

/** Entries for a Select. */
export function choices<T extends string>(words: Record<T, string>, of = Object.keys(words) as T[]): { value: T; label: string }[] {
  return of.map((value) => ({ value, label: words[value] }));
}

/** What the report is made of, and how good it is. */
export function factsOf(report: ReadReport): string[] {
  return [
    `From ${sourceWords[report.source]}`,
    report.exact ? 'All events counted' : 'Being computed anew: not all events are counted yet',
    report.approximate ? `Estimated, ± ${percent(report.error)}` : 'Exact values',
  ];
}

/** The name of a key. */
export function keyWord(key: string): string {
  if (key === '') return 'All';
  return key === '$other' ? 'Others' : key;
}

const formats: Record<Step, Intl.DateTimeFormatOptions> = {
  MINUTE: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  HOUR: { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
  DAY: { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  WEEK: { day: 'numeric', month: 'short', year: 'numeric' },
  MONTH: { month: 'short', year: 'numeric' },
  QUARTER: { month: 'short', year: 'numeric' },
  YEAR: { year: 'numeric' },
};

/** When a bucket begins, in the zone of the report. */
export function bucketWord(at: string | number, step: Step, zone: string): string {
  return new Intl.DateTimeFormat('en-GB', { hourCycle: 'h23', timeZone: zone, ...formats[step] }).format(new Date(at));
}

/** The time under an axis: shorter, and of a day when the range has several. */
export function tickWord(seconds: number, step: Step, zone: string, spanMs: number): string {
  const short: Intl.DateTimeFormatOptions =
    step === 'YEAR'
      ? { year: 'numeric' }
      : step === 'MONTH' || step === 'QUARTER' || spanMs > 400 * 86_400_000
        ? { month: 'short', year: '2-digit' }
        : spanMs > 2 * 86_400_000
          ? { day: 'numeric', month: 'short' }
          : { hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat('en-GB', { hourCycle: 'h23', timeZone: zone, ...short }).format(seconds * 1000);
}

/** How a number differs from the one compared with: `+12.5 %`. Null where there is nothing to say. */
export function change(value: number | null, compared: number | null): string | null {
  if (value === null || compared === null) return null;
  if (compared === 0) return value === 0 ? '±0' : `+${figure(value)}`;
  const share = (value - compared) / Math.abs(compared);
  return `${share < 0 ? '−' : '+'}${percent(Math.abs(share))}`;
}
