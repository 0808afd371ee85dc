import { CombinedError } from '@urql/core';
import { expect, test, vi } from 'vitest';

import { withReauth } from './reauth';

const failed = (code: string) => ({
  error: new CombinedError({ graphQLErrors: [{ message: code, extensions: { code } }] }),
});
const done = { error: undefined, data: 'done' };

test('what succeeds asks for nothing', async () => {
  const confirm = vi.fn();
  expect(await withReauth(async () => done, confirm)).toBe(done);
  expect(confirm).not.toHaveBeenCalled();
});

test('another failure is the answer, and is not repeated', async () => {
  const confirm = vi.fn();
  const run = vi.fn(async () => failed('FORBIDDEN'));
  expect((await withReauth(run, confirm))?.error?.graphQLErrors[0]?.message).toBe('FORBIDDEN');
  expect(run).toHaveBeenCalledTimes(1);
  expect(confirm).not.toHaveBeenCalled();
});

test('after a proof the operation runs once more', async () => {
  const run = vi.fn<() => Promise<typeof done | ReturnType<typeof failed>>>();
  run.mockResolvedValueOnce(failed('REAUTH_REQUIRED')).mockResolvedValueOnce(done);
  expect(await withReauth(run, async () => true)).toBe(done);
});

test('who declines gets no answer and no second try', async () => {
  const run = vi.fn(async () => failed('REAUTH_REQUIRED'));
  expect(await withReauth(run, async () => false)).toBeNull();
  expect(run).toHaveBeenCalledTimes(1);
});

test('it asks once only', async () => {
  const confirm = vi.fn(async () => true);
  const run = vi.fn(async () => failed('REAUTH_REQUIRED'));
  expect((await withReauth(run, confirm))?.error).toBeDefined();
  expect(confirm).toHaveBeenCalledTimes(1);
  expect(run).toHaveBeenCalledTimes(2);
});
