import { Button, Group, Select, Stack, TextInput } from '@mantine/core';
import { type SubmitEvent, useState } from 'react';

import { blamed } from '../api/problem';
import { useAct } from '../api/useAct';
import { Panel } from '../ui/Panel';
import { ProblemNote } from '../ui/ProblemNote';
import { type Me, UPDATE_ME } from './operations';

const inputOf = { USERNAME_TAKEN: 'username', USERNAME_INVALID: 'username' };

/** Languages the server's mails are written in, each by its own name. */
const languages = [
  { value: '', label: 'The server’s own' },
  { value: 'en', label: 'English' },
  { value: 'de', label: 'Deutsch' },
];

/** Name, username and the language of mails. */
export function ProfilePanel({ me, reload }: { me: Me; reload: () => void }) {
  const { run, busy, failure } = useAct(UPDATE_ME);
  const [name, setName] = useState(me.user.name);
  const [username, setUsername] = useState(me.user.username ?? '');
  const [locale, setLocale] = useState(me.locale);
  const known = languages.some((l) => l.value === me.locale);
  const offered = known ? languages : [...languages, { value: me.locale, label: nameOf(me.locale) }];
  const same = name === me.user.name && username === (me.user.username ?? '') && locale === me.locale;

  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    if (await run({ input: { name, username, locale } })) reload();
  };
  const input = blamed(failure, inputOf);
  return (
    <Panel title="Profile" data-testid="panel-profile">
      <form onSubmit={(event) => void save(event)}>
        <Stack gap="sm">
          {failure && input !== 'name' && input !== 'username' && <ProblemNote problem={failure} />}
          <TextInput
            label="Name"
            name="name"
            autoComplete="name"
            maxLength={100}
            required
            withAsterisk={false}
            value={name}
            error={input === 'name' && failure?.text}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="Username"
            description="To sign in with instead of the address; may be left empty"
            name="username"
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={30}
            value={username}
            error={input === 'username' && failure?.text}
            onChange={(e) => setUsername(e.currentTarget.value)}
          />
          <Select
            label="Language of mails"
            allowDeselect={false}
            data={offered}
            value={locale}
            onChange={(value) => setLocale(value ?? '')}
          />
          <Group justify="flex-end">
            <Button type="submit" size="sm" loading={busy} disabled={same}>
              Save
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}

/** A language by its own name, such as `Schweizer Hochdeutsch`. */
function nameOf(locale: string): string {
  try {
    return new Intl.DisplayNames([locale], { type: 'language' }).of(locale) ?? locale;
  } catch {
    return locale;
  }
}
