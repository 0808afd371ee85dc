/** Whom the explorer asks as: the console's own session, nobody, or somebody who has signed in for this page alone. */
export type Identity = { kind: 'session' } | { kind: 'nobody' } | { kind: 'other'; name: string; token: string; session: string };

export const ownSession: Identity = { kind: 'session' };

/** A fetch that asks as somebody: by the cookie, by neither, or by a token that only this page's memory holds. */
export function fetchAs(identity: Identity, send: typeof fetch = fetch): typeof fetch {
  if (identity.kind === 'session') return (input, init) => send(input, init);
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (identity.kind === 'other') headers.set('Authorization', `Bearer ${identity.token}`);
    return send(input, { ...init, headers, credentials: 'omit' });
  };
}

const SIGN_IN = `mutation SignIn($input: SignInInput!) {
  signIn(input: $input) { result { __typename ... on SignedIn { token user { name } session { id } } } }
}`;

interface Answer {
  data?: { signIn: { result: { __typename: string; token?: string; user?: { name: string }; session?: { id: string } } } } | null;
  errors?: { message: string }[];
}

/** Signs somebody in for this page. Throws, in words, what stands in the way. */
export async function signInAs(identifier: string, password: string, send: typeof fetch = fetch): Promise<Identity> {
  const variables = { input: { identifier, password, remember: false, transport: 'BEARER' } };
  const response = await post(fetchAs({ kind: 'nobody' }, send), { query: SIGN_IN, variables });
  const { data, errors } = (await response.json()) as Answer;
  const result = data?.signIn.result;
  if (errors?.[0] || !result) throw new Error(errors?.[0]?.message ?? 'the server gave no answer');
  if (!result.token || !result.user || !result.session) throw new Error(`A password is not enough here: ${result.__typename}`);
  return { kind: 'other', name: result.user.name, token: result.token, session: result.session.id };
}

const END = 'mutation End($input: EndSessionInput!) { endSession(input: $input) { session } }';

/**
 * Ends the session of somebody who has signed in for this page; the others are not the explorer's. It does not sign out: the answer to that
 * clears what the browser keeps for the console.
 */
export async function leave(identity: Identity, send: typeof fetch = fetch): Promise<void> {
  if (identity.kind !== 'other') return;
  await post(fetchAs(identity, send), { query: END, variables: { input: { session: identity.session } } }).catch(() => null); // offline: it ends by itself
}

function post(send: typeof fetch, body: object): Promise<Response> {
  return send('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(body),
    keepalive: true, // also while the page is left
  });
}
