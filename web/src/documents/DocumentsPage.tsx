import { Box, Button, Group, Select, Skeleton, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useQuery } from 'urql';

import { problemOf } from '../api/problem';
import { href, navigate, useSearch } from '../app/router';
import { useSession } from '../session/viewer';
import { Empty } from '../ui/Empty';
import { Icon } from '../ui/Icon';
import { NoAccess } from '../ui/NoAccess';
import { ProblemNote } from '../ui/ProblemNote';
import { DocumentForm } from './DocumentForm';
import { DocumentDrawer } from './DocumentDrawer';
import { DocumentTable } from './DocumentTable';
import { ImportPanel } from './ImportPanel';
import { CONTENT_TYPES } from './operations';
import { TrashPanel } from './TrashPanel';
import { TypeList } from './TypeList';
import classes from './DocumentsPage.module.css';

export default function DocumentsPage() {
  const search = useSearch();
  const { permissions } = useSession().viewer;
  const [{ data, error, fetching }, again] = useQuery({ query: CONTENT_TYPES });
  // What is being written: a document of a type, which may point at an object already.
  const [draft, setDraft] = useState<{ type: string; about: string | null } | null>(null);
  const types = (data?.contentTypes ?? []).filter((t) => t.state === 'ACTIVE');
  const type = types.find((t) => t.key === search.get('type')) ?? types[0];
  const drafted = types.find((t) => t.key === draft?.type);
  const note = types.find((t) => t.key === 'note');

  if (error && !data) {
    const failure = problemOf(error);
    if (failure.code !== 'FORBIDDEN') return <ProblemNote problem={failure} onRetry={again} m="lg" />;
    return (
      <NoAccess title="Documents are closed to you">
        Your roles do not let you read documents. A plan may bring one that does.
      </NoAccess>
    );
  }
  if (fetching && !data) return <Skeleton h={420} mt="lg" />;
  if (!type) {
    return (
      <Empty title="There are no content types yet" icon="documents">
        Define one on the page of content types, or start the server with its demo.
      </Empty>
    );
  }

  return (
    <div>
      <Group justify="space-between" mb="md" gap="sm">
        <Box>
          <Title order={1} fz="h2">
            Documents
          </Title>
          <Text size="sm" c="dimmed">
            Content by type; every document may point at any object, and knows what points at it.
          </Text>
        </Box>
        <Button
          leftSection={<Icon name="plus" size={16} />}
          onClick={() => setDraft({ type: type.key, about: null })}
          data-testid="new-document"
        >
          New {type.name.toLowerCase()}
        </Button>
      </Group>
      <div className={classes.columns}>
        <TypeList types={types} current={type.key} />
        <Select
          hiddenFrom="sm"
          aria-label="Content type"
          allowDeselect={false}
          data={types.map((t) => ({ value: t.key, label: t.name }))}
          value={type.key}
          onChange={(key) => navigate(href('/documents', { type: key }))}
        />
        <Stack miw={0}>
          <DocumentTable key={type.key} type={type} />
          {permissions.includes('registry.document.create') && <ImportPanel key={`${type.key} import`} type={type} />}
          {permissions.includes('registry.document.restore') && <TrashPanel key={type.key} type={type} />}
        </Stack>
      </div>
      <DocumentDrawer
        id={search.get('open')}
        types={types}
        onClose={() => navigate(href('/documents', { ...Object.fromEntries(search), open: null }))}
        onNote={note && ((about) => setDraft({ type: note.key, about }))}
      />
      {drafted && draft && (
        <DocumentForm type={drafted} types={types} about={draft.about} onClose={() => setDraft(null)} />
      )}
    </div>
  );
}
