import { Affix, Notification, Stack } from '@mantine/core';
import { useCallback, useEffect, useRef, useState } from 'react';
import { useClient } from 'urql';

import { Icon } from '../ui/Icon';
import { type Notice, noticeOf } from './flash';
import { TAKE_FLASH_MESSAGES } from './operations';

/** Shows what the server has left for this page load or sign-in to be told. It asks once: what is taken is gone. */
export function FlashNotices() {
  const client = useClient();
  const asked = useRef(false);
  const [notices, setNotices] = useState<Notice[]>([]);
  useEffect(() => {
    if (asked.current) return;
    asked.current = true;
    void client
      .mutation(TAKE_FLASH_MESSAGES, {})
      .toPromise()
      // Without an answer nothing is lost: the messages wait for the next page.
      .then(({ data }) => setNotices(data?.takeFlashMessages.messages.map(noticeOf) ?? []));
  }, [client]);
  const close = useCallback((key: string) => setNotices((all) => all.filter((n) => n.key !== key)), []);
  return (
    <Affix position={{ bottom: 16, right: 16 }} zIndex={250} maw="calc(100vw - 32px)">
      <Stack gap="xs" role="status" aria-label="Messages">
        {notices.map((notice) => (
          <Shown key={notice.key} notice={notice} onClose={close} />
        ))}
      </Stack>
    </Affix>
  );
}

function Shown({ notice, onClose }: { notice: Notice; onClose: (key: string) => void }) {
  const { key, color, text, staysMs, code } = notice;
  useEffect(() => {
    if (staysMs === null) return undefined;
    const timer = setTimeout(() => onClose(key), staysMs);
    return () => clearTimeout(timer);
  }, [key, staysMs, onClose]);
  return (
    <Notification
      color={color}
      icon={<Icon name={staysMs === null ? 'alert' : 'check'} />}
      withBorder
      onClose={() => onClose(key)}
      closeButtonProps={{ 'aria-label': 'Close the message' }}
      data-testid="flash"
      data-flash={code}
    >
      {text}
    </Notification>
  );
}
