import { Box, Button, CopyButton, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { NoAccess } from '../ui/NoAccess';
import { download } from '../ui/Once';
import { ProblemNote } from '../ui/ProblemNote';
import { DIAGRAM } from './operations';
import { Picture } from './Picture';

/** The content types and what their references may lead to, as a diagram. */
export default function ModelPage() {
  const [{ data, error }, again] = useQuery({ query: DIAGRAM, requestPolicy: 'cache-and-network' });
  const diagram = data?.contentTypeDiagram;
  if (error && !diagram) {
    const failure = problemOf(error);
    if (failure.code !== 'FORBIDDEN') return <ProblemNote problem={failure} onRetry={again} m="lg" />;
    return (
      <NoAccess title="Content types are closed to you">
        Your roles do not let you read content types. A plan may bring one that does.
      </NoAccess>
    );
  }
  return (
    <Stack data-testid="model">
      <Group justify="space-between" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Content model
          </Title>
          <Text size="sm" c="dimmed">
            The content types, their fields and what their references may lead to.
          </Text>
        </Box>
        {diagram && (
          <Group gap="xs">
            <Button
              size="compact-sm"
              variant="default"
              onClick={() => download('content-model.svg', diagram.svg, 'image/svg+xml')}
            >
              Download SVG
            </Button>
            <CopyButton value={diagram.mermaid}>
              {({ copied, copy }) => (
                <Button size="compact-sm" variant="default" onClick={copy}>
                  {copied ? 'Copied' : 'Copy Mermaid'}
                </Button>
              )}
            </CopyButton>
          </Group>
        )}
      </Group>
      {diagram ? <Picture svg={diagram.svg} alt="Diagram of the content types" /> : <Skeleton h="70dvh" />}
    </Stack>
  );
}
