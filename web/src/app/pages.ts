import { type ComponentType, lazy, type LazyExoticComponent } from 'react';

import type { IconName } from '../ui/Icon';

interface Route {
  path: string;
  /** Stands for all addresses below its path, which ends with a slash. */
  below?: boolean;
  label: string;
  /** Loaded when first shown: the explorer's editor alone is larger than all the rest. */
  component: LazyExoticComponent<ComponentType>;
}

/** A page inside the shell, for who is signed in. */
export interface Page extends Route {
  icon: IconName;
  /** Takes the whole width and height. */
  bleed?: boolean;
  /** Permissions of which one leads here; left out for everybody. The server asks for them again. */
  wants?: string[];
  /** The pages of one section share a link in the list of pages, and lead to one another. */
  section?: string;
  /** Reached from elsewhere than the list of pages. */
  aside?: boolean;
}

/** A page without the shell, for everybody: most are what the links of mails open, and a part of the way in. */
export interface Door extends Route {
  /** Is worth seeing when signed in, too; the others are then done with. */
  stays?: boolean;
}

export const pages: Page[] = [
  { path: '/', label: 'Dashboard', icon: 'dashboard', component: lazy(() => import('../dashboard/DashboardPage')) },
  {
    path: '/reports',
    label: 'Reports',
    icon: 'reports',
    section: 'Analytics',
    wants: ['analytics.report.view'],
    component: lazy(() => import('../reports/ReportsPage')),
  },
  {
    path: '/dashboards',
    label: 'Dashboards',
    icon: 'dashboard',
    section: 'Analytics',
    wants: ['registry.document.read'],
    component: lazy(() => import('../dashboards/DashboardsPage')),
  },
  {
    path: '/alerts',
    label: 'Alerts',
    icon: 'alert',
    section: 'Analytics',
    wants: ['reporting.alert.write', 'reporting.schedule.write', 'reporting.manage'],
    component: lazy(() => import('../alerts/AlertsPage')),
  },
  {
    path: '/journeys',
    label: 'Journeys',
    icon: 'journeys',
    section: 'Analytics',
    wants: ['analytics.event.read'],
    component: lazy(() => import('../journeys/JourneysPage')),
  },
  {
    path: '/events',
    label: 'Events',
    icon: 'events',
    section: 'Analytics',
    wants: ['analytics.event.read'],
    component: lazy(() => import('../events/EventsPage')),
  },
  {
    path: '/metrics',
    label: 'Metrics',
    icon: 'dashboard',
    section: 'Analytics',
    wants: ['analytics.report.view'],
    component: lazy(() => import('../metrics/MetricsPage')),
  },
  {
    path: '/sources',
    label: 'Sources',
    icon: 'security',
    section: 'Analytics',
    wants: ['analytics.source.manage'],
    component: lazy(() => import('../sources/SourcesPage')),
  },
  {
    path: '/explorer',
    label: 'Explorer',
    icon: 'explorer',
    bleed: true,
    component: lazy(() => import('../explorer/ExplorerPage')),
  },
  { path: '/documents', label: 'Documents', icon: 'documents', component: lazy(() => import('../documents/DocumentsPage')) },
  {
    path: '/types',
    label: 'Types',
    icon: 'documents',
    wants: ['registry.type.write'],
    component: lazy(() => import('../types/TypesPage')),
  },
  {
    path: '/model',
    label: 'Content model',
    icon: 'model',
    wants: ['registry.document.read'],
    component: lazy(() => import('../model/ModelPage')),
  },
  { path: '/plan', label: 'Plan', icon: 'plan', component: lazy(() => import('../plan/PlanPage')) },
  { path: '/access', label: 'Access', icon: 'access', component: lazy(() => import('../access/AccessPage')) },
  {
    path: '/roles',
    label: 'Roles',
    icon: 'access',
    wants: ['rbac.role.read'],
    component: lazy(() => import('../roles/RolesPage')),
  },
  {
    path: '/plans',
    label: 'Plans',
    icon: 'plan',
    wants: ['plan.catalogue.write', 'plan.membership.read', 'plan.membership.write'],
    component: lazy(() => import('../plans/PlansPage')),
  },
  {
    path: '/people',
    label: 'People',
    icon: 'people',
    wants: ['account.user.read', 'account.user.invite', 'account.service.write'],
    component: lazy(() => import('../people/PeoplePage')),
  },
  {
    path: '/security',
    label: 'Security',
    icon: 'security',
    aside: true,
    component: lazy(() => import('../security/SecurityPage')),
  },
  { path: '/pay/', below: true, label: 'Payment', icon: 'plan', aside: true, component: lazy(() => import('../pay/PayPage')) },
];

export const doors: Door[] = [
  { path: '/sign-in', label: 'Sign in', component: lazy(() => import('../auth/SignInPage')) },
  { path: '/sign-in/link', label: 'Sign in', component: lazy(() => import('../auth/LinkPage')) },
  { path: '/register', label: 'Create an account', component: lazy(() => import('../auth/RegisterPage')) },
  { path: '/verify', label: 'Confirm your address', component: lazy(() => import('../auth/VerifyPage')) },
  { path: '/confirm', label: 'Confirm your address', stays: true, component: lazy(() => import('../auth/ConfirmPage')) },
  { path: '/reset', label: 'Choose a new password', component: lazy(() => import('../auth/ResetPage')) },
  { path: '/mailbox', label: 'Mailbox', stays: true, component: lazy(() => import('../mailbox/MailboxPage')) },
];

/** The pages that the list of them shows to a holder of the permissions. */
export function listed(permissions: string[]): Page[] {
  return pages.filter((p) => !p.aside && (!p.wants || p.wants.some((wanted) => permissions.includes(wanted))));
}

/** One page for each entry of the list: the first of each section stands for it. */
export function entries(pages: Page[]): Page[] {
  return pages.filter((p, i) => !p.section || pages.findIndex((o) => o.section === p.section) === i);
}

/** Whether a path is that of the route. */
export function isAt(route: Pick<Route, 'path' | 'below'>, path: string): boolean {
  return route.path === path || (route.below === true && path.startsWith(route.path));
}
