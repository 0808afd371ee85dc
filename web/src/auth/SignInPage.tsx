import { useSearch, useSecrets } from '../app/router';
import { useVisit } from '../session/viewer';
import { AlreadyIn } from './AlreadyIn';
import { WayIn } from './WayIn';

/** The way in; shown in place of any page that wants somebody to be signed in, too. */
export default function SignInPage() {
  const { viewer } = useVisit();
  const secrets = useSecrets();
  const anew = useSearch().get('anew') !== null;
  // A provider's callback comes back here with more to say than that somebody is signed in.
  const goesOn = anew || secrets.get('flow') !== null || secrets.get('error') !== null;
  return viewer && !goesOn ? <AlreadyIn viewer={viewer} /> : <WayIn first="signIn" />;
}
