// The base64url without padding (RFC 4648, section 5) that WebAuthn's JSON writes bytes in.

/** Bytes as text. */
export function encode(bytes: ArrayBuffer): string {
  const binary = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}

/** The bytes of a text. Throws for what is no base64url. */
export function decode(text: string): ArrayBuffer {
  if (!/^[\w-]*$/.test(text)) throw new Error('decode: this is no base64url');
  const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0)).buffer;
}
