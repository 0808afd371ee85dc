// Decisions in words for people.

export const reasons: Record<string, string> = {
  ALLOWED: 'Allowed.',
  NO_PATH: 'No grant leads to this permission.',
  NOT_INHERITED: 'Only by a role that has to be activated first.',
  EXPIRED: 'Only by a grant that is over.',
  NOT_YET: 'Only by a grant that has not begun.',
  ARG_REQUIRED: 'Held for some values only, and none was named.',
  BINDING_MISMATCH: 'Held for other values only.',
  PREDICATE: 'Held, but a condition does not hold.',
  OUT_OF_SCOPE: 'Held, but not within the scope of the access key.',
  POLICY_STALE: 'The server is catching up with a change of rights.',
};

/** "report.view(region=EU)" as its key and arguments. */
export function splitInstance(text: string): { key: string; args: { name: string; value: string }[] } {
  const [, key = text, inner = ''] = /^([^(]*)\((.*)\)$/.exec(text.trim()) ?? [];
  const args = inner
    .split(',')
    .map((part) => part.split('='))
    .flatMap(([name, value]) => (name && value ? [{ name: name.trim(), value: value.trim() }] : []));
  return { key: key.trim(), args };
}

/** The path of a cycle, what is missing, or who depends on something: the part of a refusal that helps. */
export function help(details: Record<string, unknown>): string | null {
  const list = (name: string) => (Array.isArray(details[name]) ? (details[name] as unknown[]).map(String) : null);
  const path = list('path');
  if (path) return `The circle: ${path.join(' → ')}`;
  const missing = list('missing');
  if (missing) return `Missing: ${missing.join(', ')}`;
  const members = list('members');
  if (members) return `${members.length} depend on it.`;
  return typeof details['param'] === 'string' ? `It is about the parameter ${details['param']}.` : null;
}
