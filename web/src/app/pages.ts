import { type ComponentType, lazy, type LazyExoticComponent } from 'react';

import type { IconName } from '../ui/Icon';

export interface Page {
  path: string;
  label: string;
  icon: IconName;
  /** Takes the whole width and height. */
  bleed?: boolean;
  /** Loaded when first shown: the explorer's editor alone is larger than all the rest. */
  component: LazyExoticComponent<ComponentType>;
}

export const pages: Page[] = [
  { path: '/', label: 'Dashboard', icon: 'dashboard', component: lazy(() => import('../dashboard/DashboardPage')) },
  {
    path: '/explorer',
    label: 'Explorer',
    icon: 'explorer',
    bleed: true,
    component: lazy(() => import('../explorer/ExplorerPage')),
  },
  { path: '/documents', label: 'Documents', icon: 'documents', component: lazy(() => import('../documents/DocumentsPage')) },
  { path: '/access', label: 'Access', icon: 'access', component: lazy(() => import('../access/AccessPage')) },
];
