// Reads from a content type's JSON Schema what forms and tables need. Pure.

/** A property as a form shows it; what no input suits is edited as JSON. */
export interface Field {
  name: string;
  kind: 'text' | 'longText' | 'number' | 'date' | 'dateTime' | 'switch' | 'choice' | 'reference' | 'references' | 'list' | 'object' | 'json';
  required: boolean;
  maxLength: number | undefined;
  min: number | undefined;
  max: number | undefined;
  /** Whether a number has to be whole. */
  whole: boolean;
  /** Regular expression a text has to match. */
  pattern: string | undefined;
  /** What a choice is made from. */
  choices: string[];
  /** What a reference may point at: keys of content types, `user`, `role`, `plan`, `content_type`, `document` or `*`. */
  to: string[];
  /** Whether the entries of a list are numbers. */
  numbers: boolean;
  /** The fields of an object. */
  fields: Field[];
}

interface Property {
  type?: unknown;
  format?: unknown;
  enum?: unknown;
  pattern?: string;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  reference?: { to?: unknown };
  items?: Property;
  properties?: Record<string, Property>;
  required?: unknown;
}

/** Longer texts get a field of several lines, and no column. */
const longText = 500;

/** The properties of the schema: required ones first, then words before numbers, then by name. */
export function fields(schema: Record<string, unknown>): Field[] {
  return fieldsOf(schema as Property, 1);
}

function fieldsOf(schema: Property, depth: number): Field[] {
  const required = new Set(Array.isArray(schema.required) ? (schema.required as unknown[]) : []);
  return Object.entries(schema.properties ?? {})
    .map(([name, property]) => field(name, property, required.has(name), depth))
    .toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function field(name: string, property: Property, required: boolean, depth: number): Field {
  const kind = kindOf(property, depth);
  const { maxLength, minimum: min, maximum: max, pattern, items } = property;
  const to = (property.reference ?? items?.reference)?.to;
  return {
    name,
    kind,
    required,
    maxLength,
    min,
    max,
    whole: property.type === 'integer',
    pattern,
    choices: Array.isArray(property.enum) ? property.enum.map(String) : [],
    to: Array.isArray(to) ? to.map(String) : ['*'],
    numbers: items?.type === 'number' || items?.type === 'integer',
    fields: kind === 'object' ? fieldsOf(property, depth + 1) : [],
  };
}

function kindOf(property: Property, depth: number): Field['kind'] {
  if (property.reference) return property.type === 'string' ? 'reference' : 'json';
  switch (property.type) {
    case 'string':
      return textKind(property);
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'switch';
    case 'array':
      return listKind(property.items);
    case 'object':
      return depth === 1 && Object.keys(property.properties ?? {}).length > 0 ? 'object' : 'json';
    default:
      return 'json';
  }
}

function textKind({ enum: choices, format, maxLength }: Property): Field['kind'] {
  if (Array.isArray(choices)) return choices.every((c) => typeof c === 'string') ? 'choice' : 'json';
  if (format === 'date') return 'date';
  if (format === 'date-time') return 'dateTime';
  return (maxLength ?? 0) > longText ? 'longText' : 'text';
}

function listKind(items: Property | undefined): Field['kind'] {
  if (items?.reference) return items.type === 'string' ? 'references' : 'json';
  return ['string', 'number', 'integer'].includes(String(items?.type)) ? 'list' : 'json';
}

const order: Field['kind'][] = [
  'longText',
  'text',
  'choice',
  'reference',
  'references',
  'date',
  'dateTime',
  'number',
  'switch',
  'list',
  'object',
  'json',
];

function rank({ required, kind }: Field): number {
  return (required ? 0 : order.length) + order.indexOf(kind);
}

/** Name of the property that names the document; undefined when the schema does not say. */
export function labelField(schema: Record<string, unknown>): string | undefined {
  return typeof schema['label'] === 'string' ? schema['label'].replace(/^\//, '') : undefined;
}

const short: Field['kind'][] = ['text', 'choice', 'date', 'number', 'switch'];

/** The few properties worth a column: short ones that are not the label. */
export function columns(schema: Record<string, unknown>, most: number): Field[] {
  const label = labelField(schema);
  return fields(schema)
    .filter((f) => f.name !== label && short.includes(f.kind))
    .slice(0, most);
}

/** The values of a form as data: empty ones are left out, for an empty text is not the same as none. */
export function toData(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined));
}

/** The JSON Merge Patch (RFC 7396) that makes the data `before` that of `after`. */
export function patchOf(before: Record<string, unknown>, after: Record<string, unknown>): Record<string, unknown> {
  const patch: Record<string, unknown> = {};
  for (const name of Object.keys(before)) if (!(name in after)) patch[name] = null;
  for (const [name, value] of Object.entries(after)) {
    const was = before[name];
    if (same(was, value)) continue;
    patch[name] = isObject(was) && isObject(value) ? patchOf(was, value) : value;
  }
  return patch;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are the same, whatever the order of members. */
export function same(a: unknown, b: unknown): boolean {
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((n) => n in b && same(a[n], b[n]));
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((v, i) => same(v, b[i]));
  return a === b;
}

/** The member at the top that a JSON Pointer lies in; null for the whole. */
export function memberOf(pointer: unknown): string | null {
  if (typeof pointer !== 'string') return null;
  const first = pointer.split('/')[1];
  return first ? first.replaceAll('~1', '/').replaceAll('~0', '~') : null;
}

/** What to do about a change by an older revision: others changed the same members, or others alone. */
export function staleness(details: Record<string, unknown>): { fields: string[]; disjoint: boolean } {
  const changed = Array.isArray(details['fields']) ? details['fields'].map(String) : [];
  return { fields: changed, disjoint: changed.length === 0 };
}
