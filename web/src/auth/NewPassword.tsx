import { PasswordInput } from '@mantine/core';

interface Props {
  label?: string;
  value: string;
  onChange: (password: string) => void;
  error?: string | false | undefined;
  autoFocus?: boolean;
}

/** A password that is chosen. */
export function NewPassword({ label = 'Password', value, onChange, error, autoFocus = false }: Props) {
  return (
    <PasswordInput
      label={label}
      name="new-password"
      description="8 to 128 characters, any characters"
      autoComplete="new-password"
      minLength={8}
      maxLength={128}
      required
      withAsterisk={false}
      autoFocus={autoFocus}
      value={value}
      error={error}
      onChange={(e) => onChange(e.currentTarget.value)}
    />
  );
}
