// Passkeys. Options and answers travel as WebAuthn's JSON; a browser that does not read and write it itself is helped.
import { type Problem, problem } from '../api/problem';
import { decode, encode } from './base64url';

type Json = Record<string, unknown>;

/** Asks for a passkey to sign in with. Throws what `passkeyProblem` explains. */
export async function getPasskey(options: Json): Promise<Json> {
  const publicKey = supported().parseRequestOptionsFromJSON?.(inner(options) as never) ?? requestOptions(inner(options));
  return toJson(await navigator.credentials.get({ publicKey }));
}

/** Makes a passkey. Throws what `passkeyProblem` explains. */
export async function createPasskey(options: Json): Promise<Json> {
  const publicKey = supported().parseCreationOptionsFromJSON?.(inner(options) as never) ?? creationOptions(inner(options));
  return toJson(await navigator.credentials.create({ publicKey }));
}

/** Says what went wrong with a passkey: browsers tell it by the name of an exception. */
export function passkeyProblem(error: unknown): Problem {
  const codes: Record<string, string> = {
    NotAllowedError: 'PASSKEY_CANCELLED',
    AbortError: 'PASSKEY_CANCELLED',
    InvalidStateError: 'PASSKEY_KNOWN',
    NotSupportedError: 'PASSKEY_UNSUPPORTED',
    SecurityError: 'PASSKEY_UNSUPPORTED',
  };
  const { name = '', message = '' } = error instanceof Error ? error : {};
  return problem(codes[name] ?? 'PASSKEY_INVALID', message);
}

/** What browsers that know the JSON of WebAuthn have more, and others have not. */
type Passkeys = Partial<Pick<typeof PublicKeyCredential, 'parseRequestOptionsFromJSON' | 'parseCreationOptionsFromJSON'>>;

function supported(): Passkeys {
  // Outside a secure context there are none.
  if (typeof PublicKeyCredential === 'undefined') throw new DOMException('no passkeys here', 'NotSupportedError');
  return PublicKeyCredential;
}

function inner(options: Json): Json {
  return (options['publicKey'] ?? options) as Json;
}

/** Options of a request with their bytes as bytes. */
export function requestOptions(json: Json): PublicKeyCredentialRequestOptions {
  return { ...json, challenge: decode(json['challenge'] as string), allowCredentials: listed(json['allowCredentials']) };
}

/** Options of a creation with their bytes as bytes. */
export function creationOptions(json: Json): PublicKeyCredentialCreationOptions {
  const user = json['user'] as Json;
  return {
    ...(json as unknown as PublicKeyCredentialCreationOptions),
    challenge: decode(json['challenge'] as string),
    user: { ...user, id: decode(user['id'] as string) } as PublicKeyCredentialUserEntity,
    excludeCredentials: listed(json['excludeCredentials']),
  };
}

function listed(credentials: unknown): PublicKeyCredentialDescriptor[] {
  return ((credentials ?? []) as Json[]).map((c) => ({ ...c, id: decode(c['id'] as string) }) as PublicKeyCredentialDescriptor);
}

function toJson(credential: Credential | null): Json {
  if (!credential) throw new DOMException('no passkey was chosen', 'NotAllowedError');
  const made = credential as PublicKeyCredential;
  return typeof made.toJSON === 'function' ? (made.toJSON() as unknown as Json) : credentialJson(made);
}

/** The JSON of a credential, as its own `toJSON` would have it. */
export function credentialJson(credential: PublicKeyCredential): Json {
  const { response } = credential;
  const names = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  const bytes = names.flatMap((name) => {
    const value = (response as unknown as Record<string, ArrayBuffer | null | undefined>)[name];
    return value ? [[name, encode(value)]] : [];
  });
  const transports = 'getTransports' in response ? { transports: (response as AuthenticatorAttestationResponse).getTransports() } : {};
  return {
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...Object.fromEntries(bytes), ...transports },
  };
}
