// A JSON Schema as rows of a small designer, and back. Pure. What the rows cannot show stays in the schema as it is.

export const kinds = {
  text: 'Text',
  longText: 'Long text',
  number: 'Number',
  integer: 'Whole number',
  boolean: 'Yes or no',
  date: 'Date',
  moment: 'Date and time',
  choice: 'Choice',
  texts: 'List of texts',
  reference: 'Reference',
  references: 'References',
  other: 'Other',
};

export type Kind = keyof typeof kinds;

export const deletions = {
  RESTRICT: 'Forbid its deletion',
  CASCADE: 'Go along with it',
  SET_NULL: 'Lose the reference',
  KEEP: 'Keep a tombstone',
};

/** A field of a content type. */
export interface FieldRow {
  /** What the schema calls it; empty for a new one. */
  was: string;
  name: string;
  kind: Kind;
  required: boolean;
  index: boolean;
  search: boolean;
  choices: string[];
  to: string[];
  onDelete: keyof typeof deletions;
}

export type Schema = Record<string, unknown>;

/** A schema to begin with. */
export const begin: Schema = {
  type: 'object',
  label: 'title',
  required: ['title'],
  properties: { title: { type: 'string', maxLength: 200 } },
  additionalProperties: false,
};

const longText = 5000;

export function newRow(name: string): FieldRow {
  return { was: '', name, kind: 'text', required: false, index: false, search: false, choices: [], to: ['*'], onDelete: 'RESTRICT' };
}

/** The fields of a schema, in its order. */
export function rowsOf(schema: Schema): FieldRow[] {
  const required = names(schema['required']);
  return Object.entries(propertiesOf(schema)).map(([name, property]) => {
    const reference = object(property['reference'] ?? object(property['items'])['reference']);
    const onDelete = String(reference['onDelete']);
    return {
      was: name,
      name,
      kind: kindOf(property),
      required: required.includes(name),
      index: property['index'] === true,
      search: property['search'] === true,
      choices: names(property['enum']),
      to: Array.isArray(reference['to']) ? names(reference['to']) : ['*'],
      onDelete: onDelete in deletions ? (onDelete as FieldRow['onDelete']) : 'RESTRICT',
    };
  });
}

/** The schema with these fields, and the label. What a row did not change stays as it was. */
export function schemaOf(schema: Schema, rows: FieldRow[], label: string): Schema {
  const before = new Map(rowsOf(schema).map((r) => [r.name, r]));
  const old = propertiesOf(schema);
  const properties = Object.fromEntries(rows.map((r) => [r.name, propertyOf(old[r.was] ?? {}, before.get(r.was), r)]));
  const required = rows.filter((r) => r.required).map((r) => r.name);
  const next: Schema = { ...schema, properties, required, label };
  if (required.length === 0) delete next['required'];
  if (!label) delete next['label'];
  return next;
}

/** Name of the label field; empty for none. */
export function labelOf(schema: Schema): string {
  return typeof schema['label'] === 'string' ? schema['label'].replace(/^\//, '') : '';
}

/** What is said by the kind, and has to go when it changes. */
const byKind = ['type', 'format', 'enum', 'items', 'reference', 'maxLength', 'minLength', 'pattern', 'minimum', 'maximum', 'properties'];

function propertyOf(property: Schema, before: FieldRow | undefined, row: FieldRow): Schema {
  const next = { ...property };
  if (before?.kind !== row.kind && row.kind !== 'other') {
    for (const keyword of byKind) delete next[keyword];
    Object.assign(next, shapes[row.kind]);
  }
  mark(next, 'index', row.index);
  mark(next, 'search', row.search);
  if (row.kind === 'choice') next['enum'] = row.choices;
  if (row.kind === 'reference') next['reference'] = referenceOf(next, row);
  if (row.kind === 'references') {
    const items = object(next['items']);
    next['items'] = { ...items, type: 'string', reference: referenceOf(items, row) };
  }
  return next;
}

/** The keyword as the row has it; what says the same already is left as it is. */
function referenceOf(holder: Schema, row: FieldRow): Schema {
  const next: Schema = { ...object(holder['reference']) };
  if (next['to'] !== undefined || row.to.join() !== '*') next['to'] = row.to;
  if (next['onDelete'] !== undefined || row.onDelete !== 'RESTRICT') next['onDelete'] = row.onDelete;
  return next;
}

const shapes: Record<Kind, Schema> = {
  text: { type: 'string', maxLength: 200 },
  longText: { type: 'string', maxLength: longText },
  number: { type: 'number' },
  integer: { type: 'integer' },
  boolean: { type: 'boolean' },
  date: { type: 'string', format: 'date' },
  moment: { type: 'string', format: 'date-time' },
  choice: { type: 'string', enum: [] },
  texts: { type: 'array', items: { type: 'string', maxLength: 200 } },
  reference: { type: 'string' },
  references: { type: 'array', items: { type: 'string' } },
  other: {},
};

function mark(property: Schema, keyword: string, on: boolean): void {
  if (on) property[keyword] = true;
  else if (property[keyword] === true) delete property[keyword];
}

function kindOf(property: Schema): Kind {
  const items = object(property['items']);
  switch (property['type']) {
    case 'string':
      return textKind(property);
    case 'number':
    case 'integer':
    case 'boolean':
      return property['enum'] ? 'other' : property['type'];
    case 'array':
      if (items['reference']) return 'references';
      return items['type'] === 'string' && !items['enum'] ? 'texts' : 'other';
    default:
      return 'other';
  }
}

function textKind(property: Schema): Kind {
  if (property['reference']) return 'reference';
  if (property['enum']) return 'choice';
  if (property['format'] === 'date') return 'date';
  if (property['format'] === 'date-time') return 'moment';
  return Number(property['maxLength'] ?? 0) > 500 ? 'longText' : 'text';
}

function propertiesOf(schema: Schema): Record<string, Schema> {
  return object(schema['properties']) as Record<string, Schema>;
}

function object(value: unknown): Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {};
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** A text as a schema; null when it is none. */
export function parse(text: string): Schema | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : null;
  } catch {
    return null;
  }
}

/** What a step of a change of the schema does. */
export interface StepRow {
  op: 'RENAME' | 'REMOVE' | 'DEFAULT' | 'CONVERT';
  field: string;
  to: string;
  /** JSON. */
  value: string;
}

/** A step as the server wants it. A default that is not JSON is a text. */
export function stepInput({ op, field, to, value }: StepRow) {
  if (op === 'RENAME' || op === 'CONVERT') return { op, field, to };
  if (op === 'REMOVE') return { op, field };
  return { op, field, value: { value: json(value) } };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
