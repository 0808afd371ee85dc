const paths = {
  dashboard: 'M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z',
  reports: 'M4 20h16M6 16v-4M11 16V7M16 16v-7M20 4l-4 3-5-2-5 4',
  journeys: 'M5 5h14l-5 7v6l-4 2v-8z',
  events: 'M4 7h3M4 12h3M4 17h3M10 7h10M10 12h10M10 17h6',
  explorer: 'm8 8-4 4 4 4M16 8l4 4-4 4M13.5 5l-3 14',
  documents: 'M14 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V8zM14 3v5h5M9 13h6M9 17h4',
  access: 'M12 3l7 3v5c0 4.6-3 8.2-7 10-4-1.8-7-5.4-7-10V6zM9.2 12l2 2 3.8-4',
  plan: 'M3 7h18v11H3zM3 11h18M6.5 15h4',
  people:
    'M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7M2.5 20a6.5 6.5 0 0 1 13 0M16 4.4a3.5 3.5 0 0 1 0 6.2M17.5 14.2a6.5 6.5 0 0 1 4 5.8',
  security: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2',
  mail: 'M3.5 6h17v12h-17zM3.5 7l8.5 6 8.5-6',
  sun: 'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1.1 1.1M17.3 17.3l1.1 1.1M18.4 5.6l-1.1 1.1M6.7 17.3l-1.1 1.1',
  moon: 'M20 14.5A8 8 0 0 1 9.5 4a8 8 0 1 0 10.5 10.5z',
  out: 'M14 8V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h6a2 2 0 0 0 2-2v-2M9 12h11M17 9l3 3-3 3',
  alert: 'M12 8v5M12 16.2v.1M12 3l9.5 17h-19z',
  empty: 'M4 13l2.5-8h11L20 13v6H4zM4 13h5a3 3 0 0 0 6 0h5',
  back: 'M14 6l-6 6 6 6',
  forward: 'M10 6l6 6-6 6',
  plus: 'M12 5v14M5 12h14',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  model: 'M3.5 4h7v6h-7zM13.5 14h7v6h-7zM7 10v7h6.5',
  retry: 'M19 12a7 7 0 1 1-2.2-5.1M19 4v4h-4',
};

export type IconName = keyof typeof paths;

/** A line icon in the colour of the text around it; decoration only, so the text must say it all. */
export function Icon({ name, size = 18 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.7}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden
      style={{ flex: 'none' }}
    >
      <path d={paths[name]} />
    </svg>
  );
}
