import { expect, test } from 'vitest';
import { compare } from '../breaking.mjs';

const released = `
  type Query { note(id: ID!): Note, notes(first: Int): [Note!]! }
  type Note { id: ID!, text: String! }
  enum Kind { A B }
  input Change { text: String }
  type Mutation { change(input: Change!): Note }
`;
const removed = released.replace(', text: String!', '');

test.each<[string, string, string, Record<string, unknown>, string[]]>([
  ['nothing changed', released, released, {}, []],
  ['a field is added', released, released.replace('text: String!', 'text: String!, more: Int'), {}, []],
  ['a field is removed', released, removed, {}, ['breaks clients: Note.text was removed.']],
  ['with a reason', released, removed, { 'Note.text was removed.': 'it was never filled' }, []],
  ['with an empty reason', released, removed, { 'Note.text was removed.': ' ' }, ['is listed without a reason: Note.text was removed.']],
  ['a reason for nothing', released, released, { 'Note.text was removed.': 'x' }, ['is listed but does not happen: Note.text was removed.']],
  ['a field may be null now', released, released.replace('text: String!', 'text: String'), {}, ['breaks clients: Note.text changed type from String! to String.']],
  ['an argument is demanded', released, released.replace('first: Int', 'first: Int!'), {}, ['breaks clients: Query.notes arg first has changed type from Int to Int!.']],
  ['an input field is demanded', released, released.replace('text: String }', 'text: String, why: String! }'), {}, ['breaks clients: A required field why on input type Change was added.']],
  ['a value of an enum is gone', released, released.replace('A B', 'A'), {}, ['breaks clients: B was removed from enum type Kind.']],
])('%s', (_, before, after, reasons, refused) => {
  expect(compare(before, after, reasons).refused).toEqual(refused);
});

test('a new value of an enum is told but not refused', () => {
  const { refused, dangerous } = compare(released, released.replace('A B', 'A B C'), {});
  expect({ refused, dangerous }).toEqual({ refused: [], dangerous: ['C was added to enum type Kind.'] });
});
