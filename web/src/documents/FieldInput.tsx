import { Fieldset, JsonInput, NumberInput, Select, Stack, Switch, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';

import { humanize } from '../format/text';
import { ObjectPicker } from './ObjectPicker';
import { ObjectsPicker } from './ObjectsPicker';
import type { ContentType } from './operations';
import type { Field } from './schema';

interface Props {
  field: Field;
  types: ContentType[];
  value: unknown;
  onChange: (value: unknown) => void;
  /** What the server says is wrong with it. */
  error?: string | undefined;
}

/** The input that suits a property. */
export function FieldInput({ field, types, value, onChange, error }: Props) {
  const common = { label: humanize(field.name), required: field.required, name: field.name, error };
  const text = typeof value === 'string' ? value : '';
  switch (field.kind) {
    case 'longText':
      return (
        <Textarea
          {...common}
          autosize
          minRows={3}
          maxRows={10}
          maxLength={field.maxLength}
          value={text}
          onChange={(e) => onChange(e.currentTarget.value)}
        />
      );
    case 'text':
      return (
        <TextInput
          {...common}
          maxLength={field.maxLength}
          pattern={field.pattern && `.*(?:${field.pattern}).*`}
          title={field.pattern && `Has to match ${field.pattern}`}
          value={text}
          onChange={(e) => onChange(e.currentTarget.value)}
        />
      );
    case 'date':
      return <TextInput {...common} type="date" value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
    case 'dateTime':
      return <MomentInput {...common} value={text} onChange={onChange} />;
    case 'choice':
      return (
        <Select
          {...common}
          data={field.choices}
          value={text || null}
          allowDeselect={!field.required}
          clearable={!field.required}
          onChange={(next) => onChange(next ?? '')}
        />
      );
    case 'number':
      return (
        <NumberInput
          {...common}
          min={field.min}
          max={field.max}
          allowDecimal={!field.whole}
          value={typeof value === 'number' ? value : ''}
          onChange={(v) => onChange(typeof v === 'number' ? v : '')}
        />
      );
    case 'switch':
      return <Switch label={common.label} error={error} checked={value === true} onChange={(e) => onChange(e.currentTarget.checked)} />;
    case 'reference':
      return <ObjectPicker field={field} types={types} value={text} onChange={onChange} error={error} />;
    case 'references':
      return <ObjectsPicker field={field} types={types} value={strings(value)} onChange={onChange} error={error} />;
    case 'list':
      return <ListInput {...common} numbers={field.numbers} value={strings(value)} onChange={onChange} />;
    case 'object':
      return <ObjectInput field={field} types={types} value={value} onChange={onChange} error={error} />;
    case 'json':
      return <RawInput {...common} value={value} onChange={onChange} />;
  }
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

type Common = { label: string; required: boolean; name: string; error: string | undefined; onChange: (value: unknown) => void };

/** A moment, in the time of the place. */
function MomentInput({ value, onChange, ...common }: Common & { value: string }) {
  const moment = value ? new Date(value) : null;
  const local = moment && !Number.isNaN(moment.getTime()) ? new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000).toISOString().slice(0, 19) : '';
  return (
    <TextInput
      {...common}
      type="datetime-local"
      step={1}
      value={local}
      onChange={(e) => onChange(e.currentTarget.value ? new Date(e.currentTarget.value).toISOString() : '')}
    />
  );
}

/** Texts or numbers, one after the other. */
function ListInput({ numbers, value, onChange, ...common }: Common & { numbers: boolean; value: string[] }) {
  return (
    <TagsInput
      {...common}
      description="Enter adds an entry"
      value={value}
      onChange={(next) => onChange(numbers ? next.map(Number).filter((n) => !Number.isNaN(n)) : next)}
    />
  );
}

function ObjectInput({ field, types, value, onChange, error }: Props) {
  const held = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const set = (name: string, next: unknown) => {
    const { [name]: _, ...others } = held;
    const empty = next === '' || next === null || next === undefined;
    const after = empty ? others : { ...others, [name]: next };
    onChange(Object.keys(after).length === 0 ? undefined : after);
  };
  return (
    <Fieldset legend={humanize(field.name)}>
      <Stack gap="sm">
        {field.fields.map((f) => (
          <FieldInput key={f.name} field={f} types={types} value={held[f.name]} onChange={(next) => set(f.name, next)} error={error} />
        ))}
      </Stack>
    </Fieldset>
  );
}

/** Whatever has no input of its own, as JSON. The browser does not send what is none. */
function RawInput({ value, onChange, ...common }: Common & { value: unknown }) {
  const [text, setText] = useState(() => (value === undefined ? '' : JSON.stringify(value, null, 2)));
  return (
    <JsonInput
      {...common}
      description="As JSON"
      validationError="This is not JSON"
      autosize
      minRows={3}
      maxRows={12}
      value={text}
      onChange={(next) => {
        setText(next);
        if (next.trim() === '') return onChange(undefined);
        try {
          onChange(JSON.parse(next));
        } catch {
          // The value stays as it was until the text is JSON again.
        }
      }}
    />
  );
}
