import { expect, test } from 'vitest';

import { pieces } from './links';

const cut = (text: string) => pieces(text, 'http://localhost:5173', ['/verify', '/reset']);

test('a text without links is one piece, and an empty one none', () => {
  expect(cut('Your code: 123456')).toEqual([{ text: 'Your code: 123456' }]);
  expect(cut('')).toEqual([]);
});

test('a link to a page of ours becomes a path with its secret, whatever the host', () => {
  expect(cut('Open\n\nhttps://book.example.org/verify#token=bbl_a-_1\n\nSoon.')).toEqual([
    { text: 'Open\n\n' },
    { text: 'https://book.example.org/verify#token=bbl_a-_1', href: '/verify#token=bbl_a-_1', inside: true },
    { text: '\n\nSoon.' },
  ]);
});

test('a link of this very site is inside', () => {
  expect(cut('http://localhost:5173/documents?type=note')).toEqual([
    { text: 'http://localhost:5173/documents?type=note', href: '/documents?type=note', inside: true },
  ]);
});

test('another link leads away', () => {
  expect(cut('see https://elsewhere.example/verify/x')).toEqual([
    { text: 'see ' },
    { text: 'https://elsewhere.example/verify/x', href: 'https://elsewhere.example/verify/x', inside: false },
  ]);
});

test.each(['.', ',', ')', '!', ':'])('the %j after a link is not its own', (end) => {
  const [, found, rest] = cut(`at http://localhost:5173/reset#token=x${end} Then`);
  expect(found).toMatchObject({ href: '/reset#token=x' });
  expect(rest).toEqual({ text: `${end} Then` });
});

test.each(['http://', 'https://:::/x', 'ftp://a.example/', 'javascript:alert(1)'])('%j is no link', (text) => {
  expect(cut(text).some((piece) => 'href' in piece)).toBe(false);
});

test('no text is lost', () => {
  const text = 'a http://x.example/1 b https://y.example/2. c';
  expect(cut(text).map((p) => p.text).join('')).toBe(text);
});
