import { figure } from '../format/number';
import type { Alert } from './operations';

/** What an alert watches for: `above 10, over at 8, 3 looks in a row`. */
export function conditionWord({ condition, threshold, recover, for: looks }: Pick<Alert, 'condition' | 'threshold' | 'recover' | 'for'>): string {
  const what = condition === 'ABSENT' ? 'no event' : `${condition === 'ABOVE' ? 'above' : 'below'} ${figure(threshold)}`;
  const over = condition !== 'ABSENT' && recover !== threshold ? `, over at ${figure(recover)}` : '';
  return `${what}${over}${looks > 1 ? `, ${looks} looks in a row` : ''}`;
}

export const stateWords: Record<Alert['state'], { label: string; color: string }> = {
  OK: { label: 'Nothing is wrong', color: 'teal' },
  PENDING: { label: 'Perhaps', color: 'yellow' },
  FIRING: { label: 'Firing', color: 'red' },
};

/** What stands for a report or a dashboard. */
export function titleOf(target: object): string {
  return 'title' in target && typeof target.title === 'string' ? target.title : 'What is gone or hidden';
}
