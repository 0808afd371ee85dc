import { createContext, useContext } from 'react';

import type { Ended } from '../api/ended';
import { graphql, type ResultOf } from '../gql/graphql';
import type { EndedSession } from './ended';

export const VISIT = graphql(`
  query Visit {
    me {
      user { id kind name email }
      session { id expiresAt }
      impersonatedBy { by { name email } reason readOnly expiresAt }
      activeRole { bindings role { name } }
      permissions
      termsVersion
      factorRequired
    }
    authSettings { registration allowedDomains termsVersion mailbox providers { key name } }
  }
`);

export type Viewer = NonNullable<ResultOf<typeof VISIT>['me']>;
export type AuthSettings = ResultOf<typeof VISIT>['authSettings'];

interface Visit {
  /** The signed-in user; null for a visitor. */
  viewer: Viewer | null;
  settings: AuthSettings;
  /** What is known of a session that has just ended under the user's hands; null for none. */
  ended: EndedSession | null;
  /** To be called when signing in or out has changed who is asking: forgets all that was read. Then leads to the page given, if any. */
  changed(to?: string): void;
  /** To be called when the server may think otherwise of who is signed in: asks once more. why: what is known of the end of the session. */
  recheck(why?: Ended): void;
}

export const VisitContext = createContext<Visit | null>(null);

/** Who is looking at the page, signed in or not. */
export function useVisit(): Visit {
  const visit = useContext(VisitContext);
  if (!visit) throw new Error('useVisit: nobody has been asked who they are yet');
  return visit;
}

/** The signed-in user. Only on pages that nobody else is shown. */
export function useSession(): Visit & { viewer: Viewer } {
  const { viewer, ...visit } = useVisit();
  if (!viewer) throw new Error('useSession: nobody is signed in here');
  return { viewer, ...visit };
}
