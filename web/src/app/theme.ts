import { Anchor, createTheme, Drawer, type MantineColorsTuple, Modal, Paper, Tooltip } from '@mantine/core';

/** Calm blue-green: the one colour of the product. */
const lagoon: MantineColorsTuple = [
  '#e8f6f9', '#d5e9ee', '#aad2dd', '#7cbacb', '#57a6bc', '#409ab3', '#3094af', '#20809a', '#0f6e84', '#005d72',
];

/** Mantine's own dark greys are neutral; these lean to the product's blue. */
const dark: MantineColorsTuple = [
  '#d5dce2', '#b8c2cb', '#93a0ab', '#66727d', '#3b454e', '#2e373f', '#242b32', '#1a1f24', '#13171b', '#0d1013',
];

export const theme = createTheme({
  primaryColor: 'lagoon',
  // The lightest that white text can be read on.
  primaryShade: { light: 8, dark: 7 },
  colors: { lagoon, dark },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif',
  headings: { fontWeight: '650' },
  components: {
    Paper: Paper.extend({ defaultProps: { radius: 'md' } }),
    Anchor: Anchor.extend({ defaultProps: { underline: 'hover' } }),
    Drawer: Drawer.extend({ defaultProps: { padding: 'lg' }, styles: { title: { fontWeight: 600 } } }),
    Modal: Modal.extend({ defaultProps: { padding: 'lg' }, styles: { title: { fontWeight: 600 } } }),
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, openDelay: 300 } }),
  },
});
