// The contract of a channel, as far as folding needs it. What else is selected passes through untouched.

/** A member of the union LiveData, with whatever fields were selected of it. */
export interface Named {
  __typename: string;
}

/** Why a channel was refused or ended. */
export interface LiveError {
  /** As in `extensions.code` of an error. */
  code: string;
  message: string;
}

/** A message of one channel. */
export interface Message {
  /** The caller's name for the channel. */
  channel: string;
  kind: 'SNAPSHOT' | 'RESUMED' | 'DELTA' | 'RESYNC' | 'NOTICE';
  /** Numbers are dense: a DELTA is of `firstSeq` to `seq`, and goes on after the number before `firstSeq`. */
  seq: number;
  firstSeq: number;
  /** Where the channel stands after the message; null for a NOTICE. */
  cursor: string | null;
  /** When the state was like this, by the clock of the server. */
  at: string;
  data: Named | null;
  error: LiveError | null;
}

/** A channel as it is asked for: a ChannelInput of the server's schema. */
export interface Asked {
  /** The caller's name for the channel. */
  key: string;
}

/** What a folded report must have. Times are RFC 3339 in UTC of one form, so their text is ordered as they are. */
export interface Report extends Named {
  __typename: 'Report';
  from: string;
  to: string;
  through: string | null;
  points: ReportPoint[];
  compared: ReportPoint[];
  totals: object[];
}

export interface ReportPoint {
  at: string;
  key: string;
}

/** A change of a report. Its totals go by another name, as GraphQL will not have one name both nullable and not. */
export interface ReportDelta extends Named {
  __typename: 'ReportDelta';
  from: string;
  to: string;
  through: string | null;
  dropped: string[];
  points: ReportPoint[];
  compared: ReportPoint[];
  newTotals: object[] | null;
}

export interface DocumentList extends Named {
  __typename: 'DocumentList';
  documents: { id: string }[];
}

export interface DocumentListDelta extends Named {
  __typename: 'DocumentListDelta';
  changes: {
    op: 'ENTER' | 'LEAVE' | 'UPDATE' | 'MOVE';
    id: string;
    index: number;
    from: number | null;
    document: { id: string } | null;
  }[];
}

export interface SecurityEventList extends Named {
  __typename: 'SecurityEventList';
  events: { id: string }[];
}

export interface EventTail extends Named {
  __typename: 'EventTail';
  events: object[];
  skipped: number;
}

export interface TopicMessageList extends Named {
  __typename: 'TopicMessageList';
  messages: object[];
}

export interface PolicyNews extends Named {
  __typename: 'PolicyNews';
  rev: number;
  changes: object[];
}
