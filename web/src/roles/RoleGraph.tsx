import { useComputedColorScheme } from '@mantine/core';
import { type KeyboardEvent, useMemo } from 'react';

import { box, layout, type Point } from './layout';
import type { Role, RoleEdge } from './operations';
import classes from './RoleGraph.module.css';

interface Props {
  roles: Role[];
  edges: RoleEdge[];
  selected: string | null;
  onSelect: (id: string) => void;
}

/** The roles as boxes and what they include as arrows. A box is a button. */
export function RoleGraph({ roles, edges, selected, onSelect }: Props) {
  useComputedColorScheme('light');
  const placed = useMemo(
    () => layout(roles.map((r) => r.id), edges.map((e) => ({ from: e.member, to: e.role.id }))),
    [roles, edges],
  );
  return (
    <div className={classes.scroll} data-testid="role-graph">
      <svg
        width={placed.width}
        height={placed.height}
        viewBox={`0 0 ${placed.width} ${placed.height}`}
        role="group"
        aria-label="The graph of roles: arrows lead from a role to what it includes"
      >
        <defs>
          <marker id="includes" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
            <path d="M0 0 8 4 0 8z" className={classes.head} />
          </marker>
        </defs>
        {edges.map((edge) => {
          const from = placed.places.get(edge.member);
          const to = placed.places.get(edge.role.id);
          return from && to && <Edge key={edge.id} edge={edge} from={from} to={to} />;
        })}
        {roles.map((role) => {
          const at = placed.places.get(role.id);
          return at && <Box key={role.id} role={role} at={at} selected={role.id === selected} onSelect={onSelect} />;
        })}
      </svg>
    </div>
  );
}

function Edge({ edge, from, to }: { edge: RoleEdge; from: Point; to: Point }) {
  const x1 = from.x + box.width;
  const y1 = from.y + box.height / 2;
  const y2 = to.y + box.height / 2;
  const bend = Math.max((to.x - x1) / 2, 30);
  const label = [edge.bindings, edge.admin && 'admin', !edge.inherit && 'not inherited'].filter(Boolean).join(' · ');
  return (
    <g>
      <path
        d={`M${x1} ${y1} C${x1 + bend} ${y1} ${to.x - bend} ${y2} ${to.x - 2} ${y2}`}
        className={classes.edge}
        data-weak={!edge.inherit || undefined}
        markerEnd="url(#includes)"
      >
        {label && <title>{label}</title>}
      </path>
      {label && (
        <text x={(x1 + to.x) / 2} y={(y1 + y2) / 2 - 5} className={classes.label}>
          {short(label, 24)}
        </text>
      )}
    </g>
  );
}

function Box({ role, at, selected, onSelect }: { role: Role; at: Point; selected: boolean; onSelect: (id: string) => void }) {
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onSelect(role.id);
  };
  const params = role.params.map((p) => p.name).join(', ');
  return (
    <g
      role="button"
      tabIndex={0}
      aria-pressed={selected}
      aria-label={`${role.name}, ${role.permissions.length} permissions of its own`}
      className={classes.box}
      data-selected={selected || undefined}
      transform={`translate(${at.x} ${at.y})`}
      onClick={() => onSelect(role.id)}
      onKeyDown={press}
    >
      <rect width={box.width} height={box.height} rx={8} />
      <text x={12} y={20} className={classes.name}>
        {short(role.name, 20)}
      </text>
      <text x={12} y={36} className={classes.detail}>
        {short(`${role.key}${params && ` (${params})`} · ${role.permissions.length}`, 26)}
      </text>
    </g>
  );
}

function short(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
}
