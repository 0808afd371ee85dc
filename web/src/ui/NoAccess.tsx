import { Button, Center } from '@mantine/core';
import type { ReactNode } from 'react';

import { Link } from '../app/router';
import { Empty } from './Empty';

/** Stands for a whole page that the user's roles do not open, with the way to one that might. */
export function NoAccess({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Center mih="60dvh">
      <Empty title={title} icon="access">
        {children}
        <div>
          <Button component={Link} href="/access" variant="light" mt="md">
            See your access
          </Button>
        </div>
      </Empty>
    </Center>
  );
}
