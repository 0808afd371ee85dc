import { Anchor, createTheme, type MantineColorsTuple, Paper, Tooltip } from '@mantine/core';

/** Calm blue-green: the one colour of the product. */
const lagoon: MantineColorsTuple = [
  '#e8f6f9', '#d5e9ee', '#aad2dd', '#7cbacb', '#57a6bc', '#409ab3', '#3094af', '#20809a', '#0f6e84', '#005d72',
];

export const theme = createTheme({
  primaryColor: 'lagoon',
  primaryShade: { light: 8, dark: 5 },
  colors: { lagoon },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif',
  headings: { fontWeight: '650' },
  components: {
    Paper: Paper.extend({ defaultProps: { radius: 'md' } }),
    Anchor: Anchor.extend({ defaultProps: { underline: 'hover' } }),
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, openDelay: 300 } }),
  },
});
