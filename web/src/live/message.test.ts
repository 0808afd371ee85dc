import type * as live from '@backendbook/live';
import { expectTypeOf, test } from 'vitest';

import type { LiveMessage, State } from './message';

type Data = NonNullable<LiveMessage['data']>;
type Named<T extends string> = Extract<Data, { __typename: T }>;

// The compiler is the test: it fails when the console leaves out a field that folding needs.
test('what is selected can be folded', () => {
  expectTypeOf<LiveMessage>().toExtend<live.Message>();
  expectTypeOf<State>().toExtend<Data>();
  expectTypeOf<Named<'Report'>>().toExtend<live.Report>();
  expectTypeOf<Named<'ReportDelta'>>().toExtend<live.ReportDelta>();
  expectTypeOf<Named<'DocumentList'>>().toExtend<live.DocumentList>();
  expectTypeOf<Named<'DocumentListDelta'>>().toExtend<live.DocumentListDelta>();
  expectTypeOf<Named<'EventTail'>>().toExtend<live.EventTail>();
});
