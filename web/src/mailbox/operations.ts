import { graphql, type ResultOf } from '../gql/graphql';

export const MAILBOX = graphql(`
  query Mailbox {
    mailbox(first: 20) { nodes { id to template subject text html at } }
  }
`);

export type Mail = ResultOf<typeof MAILBOX>['mailbox']['nodes'][number];
