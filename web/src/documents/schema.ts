// Reads from a content type's JSON Schema what forms and tables need. Pure.

/** A property that a plain form can show. */
export interface Field {
  name: string;
  kind: 'text' | 'longText' | 'number' | 'date' | 'switch' | 'reference';
  required: boolean;
  maxLength: number | undefined;
  min: number | undefined;
  max: number | undefined;
  /** What a reference may point at: keys of content types, `user`, `role`, `plan`, `content_type`, `document` or `*`. */
  to: string[];
}

interface Property {
  type?: unknown;
  format?: unknown;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  reference?: { to?: unknown };
}

/** Longer texts get a field of several lines, and no column. */
const longText = 500;

/** The plain properties of the schema: required ones first, then words before numbers, then by name. */
export function fields(schema: Record<string, unknown>): Field[] {
  const required = new Set(Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : []);
  return Object.entries((schema['properties'] ?? {}) as Record<string, Property>)
    .flatMap(([name, property]) => {
      const kind = kindOf(property);
      if (!kind) return [];
      const { maxLength, minimum: min, maximum: max, reference } = property;
      const to = Array.isArray(reference?.to) ? reference.to.map(String) : ['*'];
      return [{ name, kind, required: required.has(name), maxLength, min, max, to }];
    })
    .toSorted((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function kindOf(property: Property): Field['kind'] | null {
  if (property.reference) return property.type === 'string' ? 'reference' : null;
  switch (property.type) {
    case 'string':
      if (property.format === 'date') return 'date';
      return (property.maxLength ?? 0) > longText ? 'longText' : 'text';
    case 'number':
    case 'integer':
      return 'number';
    case 'boolean':
      return 'switch';
    default:
      return null;
  }
}

const order: Field['kind'][] = ['longText', 'text', 'reference', 'date', 'number', 'switch'];

function rank({ required, kind }: Field): number {
  return (required ? 0 : order.length) + order.indexOf(kind);
}

/** Name of the property that names the document; undefined when the schema does not say. */
export function labelField(schema: Record<string, unknown>): string | undefined {
  return typeof schema['label'] === 'string' ? schema['label'].replace(/^\//, '') : undefined;
}

/** The few properties worth a column: short ones that are not the label. */
export function columns(schema: Record<string, unknown>, most: number): Field[] {
  const label = labelField(schema);
  return fields(schema)
    .filter((f) => f.name !== label && f.kind !== 'longText' && f.kind !== 'reference')
    .slice(0, most);
}

/** The values of a form as data: empty ones are left out, for an empty text is not the same as none. */
export function toData(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, v]) => v !== '' && v !== null && v !== undefined));
}
