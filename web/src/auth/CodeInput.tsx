import { TextInput } from '@mantine/core';

interface Props {
  label?: string;
  value: string;
  onChange: (code: string) => void;
  error?: string | false | undefined;
}

/** Six digits. One field, so that they can be pasted, and that a phone offers those of a message. */
export function CodeInput({ label = 'Code', value, onChange, error }: Props) {
  return (
    <TextInput
      label={label}
      name="code"
      inputMode="numeric"
      autoComplete="one-time-code"
      pattern="[0-9]{6}"
      title="Six digits"
      required
      withAsterisk={false}
      autoFocus
      data-autofocus
      value={value}
      error={error}
      onChange={(e) => onChange(e.currentTarget.value.replace(/\D/g, '').slice(0, 6))}
      styles={{ input: { letterSpacing: '0.35em', fontVariantNumeric: 'tabular-nums' } }}
    />
  );
}
