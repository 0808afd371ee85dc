import { Button, Menu } from '@mantine/core';
import type { ReactNode } from 'react';

const formats = { csv: 'CSV', xlsx: 'Excel workbook', json: 'JSON', ndjson: 'JSON, one object a line' };

export type Format = keyof typeof formats;

interface Props {
  /** Where the server gives the file. */
  href: (format: Format) => string;
  /** More ways to get it. */
  children?: ReactNode;
}

/** Ways to take a table home. */
export function DownloadMenu({ href, children }: Props) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <Button size="compact-sm" variant="default">
          Download
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(formats) as Format[]).map((format) => (
          <Menu.Item key={format} component="a" href={href(format)} download>
            {formats[format]}
          </Menu.Item>
        ))}
        {children}
      </Menu.Dropdown>
    </Menu>
  );
}
