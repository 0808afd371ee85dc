import { useState } from 'react';

import { useSecrets } from '../app/router';
import { ForgotPassword } from './ForgotPassword';
import { MailSignIn } from './MailSignIn';
import { NextStep } from './NextStep';
import { Register } from './Register';
import { SignIn } from './SignIn';
import { stepFrom } from './steps';
import { useArrival } from './useArrival';

export type Mode = 'signIn' | 'register' | 'mail' | 'forgot';

/** Every way in, one at a time, and what comes after it. */
export function WayIn({ first }: { first: Mode }) {
  const secrets = useSecrets();
  // Another link opened on the same page begins anew.
  return <Ways key={secrets.serial} first={first} />;
}

function Ways({ first }: { first: Mode }) {
  const secrets = useSecrets();
  const arrival = useArrival(stepFrom(secrets));
  const [mode, setMode] = useState(first);
  // Carried from form to form: nobody wants to type it twice.
  const [email, setEmail] = useState('');
  if (arrival.step) return <NextStep step={arrival.step} arrival={arrival} />;
  const props = { email, onEmail: setEmail, onMode: setMode, arrival };
  switch (mode) {
    case 'signIn':
      return <SignIn {...props} />;
    case 'register':
      return <Register {...props} />;
    case 'mail':
      return <MailSignIn {...props} />;
    case 'forgot':
      return <ForgotPassword {...props} />;
  }
}
