import { createContext, useContext } from 'react';

import { graphql, type ResultOf } from '../gql/graphql';

export const VIEWER = graphql(`
  query Viewer {
    me {
      user { id name email }
      session { id }
    }
  }
`);

export type Viewer = NonNullable<ResultOf<typeof VIEWER>['me']>;

interface Session {
  viewer: Viewer;
  /** To be called when signing in or out has changed who is asking: forgets all that was read. */
  changed(): void;
  /** To be called when the server says nobody is signed in: asks once more, and leads to the way in if that is so. */
  recheck(): void;
}

export const SessionContext = createContext<Session | null>(null);

/** The signed-in user. Only below the gate. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession: nobody is signed in here');
  return session;
}
