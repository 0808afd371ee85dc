import { expect, test } from 'vitest';

import { encode } from './base64url';
import { creationOptions, credentialJson, passkeyProblem, requestOptions } from './webauthn';

const challenge = 'AQID';
const bytes = (data: BufferSource) => [...new Uint8Array(data as ArrayBuffer)];

test('options of a request keep all but have bytes for text', () => {
  const made = requestOptions({ challenge, rpId: 'localhost', allowCredentials: [{ id: 'BAU', type: 'public-key' }] });
  expect(made.rpId).toBe('localhost');
  expect(bytes(made.challenge)).toEqual([1, 2, 3]);
  expect(made.allowCredentials?.map((c) => bytes(c.id))).toEqual([[4, 5]]);
});

test('a request for whatever passkey there is allows any', () => {
  expect(requestOptions({ challenge }).allowCredentials).toEqual([]);
});

test('options of a creation have bytes for challenge, user and the passkeys that exist', () => {
  const made = creationOptions({
    challenge,
    rp: { name: 'Backend Book' },
    user: { id: 'Bgc', name: 'ada@example.com' },
    excludeCredentials: [{ id: 'BAU', type: 'public-key' }],
  });
  expect(made.rp.name).toBe('Backend Book');
  expect(made.user.name).toBe('ada@example.com');
  expect([bytes(made.challenge), bytes(made.user.id)]).toEqual([[1, 2, 3], [6, 7]]);
  expect(made.excludeCredentials?.map((c) => bytes(c.id))).toEqual([[4, 5]]);
});

test('a credential is written with all bytes it has, and none it has not', () => {
  const part = (...values: number[]) => Uint8Array.from(values).buffer;
  const credential = {
    id: 'id',
    rawId: part(1),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    getClientExtensionResults: () => ({}),
    response: { clientDataJSON: part(2), authenticatorData: part(3), signature: part(4), userHandle: null },
  };
  expect(credentialJson(credential as unknown as PublicKeyCredential)).toEqual({
    id: 'id',
    rawId: encode(part(1)),
    type: 'public-key',
    authenticatorAttachment: 'platform',
    clientExtensionResults: {},
    response: { clientDataJSON: 'Ag', authenticatorData: 'Aw', signature: 'BA' },
  });
});

test.each([
  ['NotAllowedError', 'PASSKEY_CANCELLED'],
  ['InvalidStateError', 'PASSKEY_KNOWN'],
  ['SecurityError', 'PASSKEY_UNSUPPORTED'],
  ['DataError', 'PASSKEY_INVALID'],
])('%s is %s', (name, code) => expect(passkeyProblem(new DOMException('no', name)).code).toBe(code));
