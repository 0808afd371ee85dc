import { NumberInput, Switch, Textarea, TextInput } from '@mantine/core';

import { humanize } from '../format/text';
import { ObjectPicker } from './ObjectPicker';
import type { ContentType } from './operations';
import type { Field } from './schema';

interface Props {
  field: Field;
  types: ContentType[];
  value: unknown;
  onChange: (value: unknown) => void;
}

/** The input that suits a property. */
export function FieldInput({ field, types, value, onChange }: Props) {
  const common = { label: humanize(field.name), required: field.required, name: field.name };
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
      return <TextInput {...common} maxLength={field.maxLength} value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
    case 'date':
      return <TextInput {...common} type="date" value={text} onChange={(e) => onChange(e.currentTarget.value)} />;
    case 'number':
      return (
        <NumberInput
          {...common}
          min={field.min}
          max={field.max}
          value={typeof value === 'number' ? value : ''}
          onChange={(v) => onChange(typeof v === 'number' ? v : '')}
        />
      );
    case 'switch':
      return <Switch label={common.label} checked={value === true} onChange={(e) => onChange(e.currentTarget.checked)} />;
    case 'reference':
      return <ObjectPicker field={field} types={types} value={text} onChange={onChange} />;
  }
}
