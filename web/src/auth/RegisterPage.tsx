import { useVisit } from '../session/viewer';
import { AlreadyIn } from './AlreadyIn';
import { WayIn } from './WayIn';

/** `/register#invitation=…`, and where a guest becomes a person. */
export default function RegisterPage() {
  const { viewer } = useVisit();
  return viewer?.user.kind === 'PERSON' ? <AlreadyIn viewer={viewer} /> : <WayIn first="register" />;
}
