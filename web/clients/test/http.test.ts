// The audits of the GraphQL-over-HTTP specification, all of them: what only SHOULD hold holds too.
import { serverAudits } from 'graphql-http';
import { expect, inject, test } from 'vitest';

const audits = serverAudits({ url: inject('server').url });

test('none is missing', () => expect(audits.length).toBe(61));

test.each(audits.map((audit) => ({ name: `${audit.id} ${audit.name}`, audit })))('$name', async ({ audit }) => {
  const result = await audit.fn();
  expect(result.status === 'ok' ? 'ok' : result).toBe('ok');
});
