import { Anchor, Center, Loader, MantineProvider } from '@mantine/core';
import { Suspense, useEffect } from 'react';

import { SessionProvider } from '../session/SessionProvider';
import { Empty } from '../ui/Empty';
import { Crash } from './Crash';
import { pages } from './pages';
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

function CurrentPage() {
  const path = usePath();
  const page = pages.find((p) => p.path === path);
  const title = page?.label ?? 'Not found';
  useEffect(() => {
    document.title = `${title} · Backend Book`;
  }, [title]);
  return (
    <Shell page={page}>
      <Crash key={path}>
        <Suspense
          fallback={
            <Center h="60dvh">
              <Loader type="dots" aria-label="Loading" />
            </Center>
          }
        >
          {page ? <page.component /> : <NotFound />}
        </Suspense>
      </Crash>
    </Shell>
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
