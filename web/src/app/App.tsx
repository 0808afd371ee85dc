import { Anchor, Center, Loader, MantineProvider } from '@mantine/core';
import { type ReactNode, Suspense, useEffect } from 'react';

import { ReauthProvider } from '../session/ReauthProvider';
import { SessionProvider } from '../session/SessionProvider';
import { SocketProvider } from '../session/SocketProvider';
import { useVisit } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { Crash } from './Crash';
import { ImpersonationBanner } from './ImpersonationBanner';
import { doors, isAt, pages } from './pages';
import { Link, usePath } from './router';
import { Shell } from './Shell';
import { theme } from './theme';

export function App() {
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <Crash>
        <SessionProvider>
          <CurrentPage />
        </SessionProvider>
      </Crash>
    </MantineProvider>
  );
}

/** A door is shown to everybody; a page to who is signed in, and the way in to who is not. */
function CurrentPage() {
  const { viewer } = useVisit();
  const path = usePath();
  const [wayIn] = doors;
  const door = doors.find((d) => d.path === path) ?? (viewer ? undefined : wayIn);
  const page = pages.find((p) => isAt(p, path));
  const title = (door ?? page)?.label ?? 'Not found';
  useEffect(() => {
    document.title = `${title} · Backend Book`;
  }, [title]);
  if (door || !viewer) {
    return (
      <>
        <ImpersonationBanner />
        <Loaded at={path}>{door && <door.component />}</Loaded>
      </>
    );
  }
  return (
    <SocketProvider key={viewer.session?.id}>
      <ReauthProvider>
        <Shell page={page}>
          <Loaded at={path}>{page ? <page.component /> : <NotFound />}</Loaded>
        </Shell>
      </ReauthProvider>
    </SocketProvider>
  );
}

function Loaded({ at, children }: { at: string; children: ReactNode }) {
  return (
    <Crash key={at}>
      <Suspense
        fallback={
          <Center h="60dvh">
            <Loader type="dots" aria-label="Loading" />
          </Center>
        }
      >
        {children}
      </Suspense>
    </Crash>
  );
}

function NotFound() {
  return (
    <Empty title="There is no page at this address">
      The console begins at the{' '}
      <Anchor component={Link} href="/" size="sm">
        dashboard
      </Anchor>
      .
    </Empty>
  );
}
