import { Button, Center } from '@mantine/core';
import { Component, type ReactNode } from 'react';

import { Empty } from '../ui/Empty';

/** Keeps a defect of one page from blanking the screen. */
export class Crash extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <Center mih="60dvh">
        <Empty title="This page broke" icon="alert">
          It may be of another version than the server. Loading it anew often helps.
          <Button mt="md" onClick={() => location.reload()}>
            Reload
          </Button>
        </Empty>
      </Center>
    );
  }
}
