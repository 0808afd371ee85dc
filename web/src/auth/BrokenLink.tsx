import { Button, Text } from '@mantine/core';

import { Link } from '../app/router';
import { Frame } from './Frame';

/** Stands where a link should have brought a secret, and has not: it was cut off, or the page was loaded anew. */
export function BrokenLink() {
  return (
    <Frame title="This link is not whole" data-testid="broken-link">
      <Text size="sm">
        Open it from your mail once more. The secret in it is taken out of the address when it is read, so loading this page anew
        loses it.
      </Text>
      <Button component={Link} href="/" variant="default" fullWidth>
        Go to the start
      </Button>
    </Frame>
  );
}
