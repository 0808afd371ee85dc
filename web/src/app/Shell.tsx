import { AppShell, Burger, Drawer, Group, NavLink, Text } from '@mantine/core';
import { useDisclosure, useElementSize } from '@mantine/hooks';
import type { ReactNode } from 'react';

import { ActiveRoleBanner } from '../roles/ActiveRole';
import { useSession } from '../session/viewer';
import { Icon } from '../ui/Icon';
import { Logo } from '../ui/Logo';
import { AccountNotices } from './AccountNotices';
import { ExpiryNotice } from './ExpiryNotice';
import { ImpersonationBanner } from './ImpersonationBanner';
import { entries, listed, type Page } from './pages';
import { Link } from './router';
import { SchemeToggle } from './SchemeToggle';
import classes from './Shell.module.css';
import { SocketBadge } from './SocketBadge';
import { UserMenu } from './UserMenu';

/** What surrounds every page: the name, the way to the others, the state of the socket, the user. */
export function Shell({ page, children }: { page: Page | undefined; children: ReactNode }) {
  const [menu, { toggle, close }] = useDisclosure(false);
  const { viewer } = useSession();
  const pages = listed(viewer.permissions);
  // What stands above all pages is as high as its words need.
  const { ref, height } = useElementSize();
  return (
    <AppShell header={{ height: 56 + Math.ceil(height) }}>
      <AppShell.Header className={classes.header}>
        <div ref={ref}>
          <ImpersonationBanner />
          <ActiveRoleBanner />
          <ExpiryNotice />
        </div>
        <Group gap="sm" wrap="nowrap" className={classes.inner}>
          <Burger opened={menu} onClick={toggle} hiddenFrom="lg" size="sm" aria-label="Pages" />
          <Link href="/" className={classes.brand}>
            <Logo size={28} />
            <Text span fw={650} className={classes.name}>
              Backend Book
            </Text>
          </Link>
          <Group component="nav" gap={4} ml="md" visibleFrom="lg" wrap="nowrap" aria-label="Pages">
            {entries(pages).map((p) => (
              <Link key={p.path} href={p.path} className={classes.link} aria-current={p === page || isSection(p, page) ? 'page' : undefined}>
                {p.section ?? p.label}
              </Link>
            ))}
          </Group>
          <Group gap="xs" ml="auto" wrap="nowrap">
            <SocketBadge />
            <SchemeToggle />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <Drawer opened={menu} onClose={close} size={260} title="Backend Book" hiddenFrom="lg">
        {pages.map((p) => (
          <NavLink
            key={p.path}
            component={Link}
            href={p.path}
            label={p.label}
            leftSection={<Icon name={p.icon} />}
            active={p === page}
            onClick={close}
          />
        ))}
      </Drawer>
      <AppShell.Main className={page?.bleed ? undefined : classes.main}>
        {!page?.bleed && <AccountNotices />}
        {page?.section && (
          <nav aria-label={page.section} className={classes.section}>
            {pages
              .filter((p) => isSection(p, page))
              .map((p) => (
                <Link key={p.path} href={p.path} className={classes.link} aria-current={p === page ? 'page' : undefined}>
                  {p.label}
                </Link>
              ))}
          </nav>
        )}
        {children}
      </AppShell.Main>
    </AppShell>
  );
}

function isSection(a: Page, b: Page | undefined): boolean {
  return a.section !== undefined && a.section === b?.section;
}
