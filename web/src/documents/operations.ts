import { graphql, type ResultOf } from '../gql/graphql';

const LINKED = graphql(`
  fragment Linked on Document { id label type { id key name } }
`);

const TARGET = graphql(
  `
    fragment Target on RefTarget {
      __typename
      ... on Document { ...Linked }
      ... on Note { id document { ...Linked } }
      ... on Task { id document { ...Linked } }
      ... on Comment { id document { ...Linked } }
      ... on Tag { id document { ...Linked } }
      ... on Attachment { id document { ...Linked } }
      ... on Bookmark { id document { ...Linked } }
      ... on SavedReport { id document { ...Linked } }
      ... on Dashboard { id document { ...Linked } }
      ... on User { id name }
      ... on Role { id name }
      ... on Plan { id name }
      ... on ContentType { id name }
      ... on Tombstone { id label deletedAt }
      ... on Forbidden { id }
      ... on UnknownTarget { id }
      ... on UnknownType { id contentType }
    }
  `,
  [LINKED],
);

export const CONTENT_TYPES = graphql(`
  query ContentTypes {
    contentTypes { id key name schema version aliases state native outdated }
  }
`);

export const DOCUMENTS = graphql(
  `
    query Documents($type: String!, $first: Int, $after: String, $last: Int, $before: String) {
      documents(type: $type, first: $first, after: $after, last: $last, before: $before) {
        nodes { id label rev updatedAt data owner { id name } references { path target { ...Target } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      }
    }
  `,
  [TARGET],
);

export const DOCUMENT = graphql(
  `
    query Document($id: ID!, $rev: Int) {
      document(id: $id, rev: $rev) {
        id
        label
        rev
        createdAt
        updatedAt
        deleting
        data
        type { id key name schema version aliases state native outdated }
        owner { id name }
        references { path target { ...Target } }
      }
    }
  `,
  [TARGET],
);

export const BACKLINKS = graphql(`
  query Backlinks($to: ID!, $after: String) {
    backlinks(to: $to, first: 10, after: $after) {
      nodes { path from { id label type { id key name } } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const RESOLVE = graphql(
  `
    query Resolve($refs: [ID!]!) {
      resolve(refs: $refs) { ...Target }
    }
  `,
  [TARGET],
);

export const CREATE_DOCUMENT = graphql(`
  mutation CreateDocument($input: CreateDocumentInput!) {
    createDocument(input: $input) { document { id label type { id key } } }
  }
`);

export const UPDATE_DOCUMENT = graphql(`
  mutation UpdateDocument($input: UpdateDocumentInput!) {
    updateDocument(input: $input) { document { id rev label } }
  }
`);

export const REVERT_DOCUMENT = graphql(`
  mutation RevertDocument($input: RevertDocumentInput!) {
    revertDocument(input: $input) { document { id rev label } }
  }
`);

export const DELETE_REPORT = graphql(
  `
    query DeleteReport($id: ID!) {
      documentDeleteReport(id: $id) { deleted documents detached changed kept blockers blockerCount inBackground }
    }
  `,
);

export const DELETE_DOCUMENT = graphql(`
  mutation DeleteDocument($input: DeleteDocumentInput!) {
    deleteDocument(input: $input) { deleted job }
  }
`);

export const TRASH = graphql(`
  query Trash($type: String!, $after: String) {
    trash(type: $type, first: 20, after: $after) {
      nodes { id document { id label } deletedAt deletedBy { id name } root expiresAt }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const RESTORE_DOCUMENT = graphql(`
  mutation RestoreDocument($input: RestoreDocumentInput!) {
    restoreDocument(input: $input) { documents { id label } }
  }
`);

export const PURGE_DOCUMENT = graphql(`
  mutation PurgeDocument($input: PurgeDocumentInput!) {
    purgeDocument(input: $input) { purged }
  }
`);

export const HISTORY = graphql(`
  query History($id: ID!, $after: String) {
    document(id: $id) {
      id
      history(first: 20, after: $after) {
        edges {
          cursor
          node { id rev at version op label fields author { id name } impersonatedBy { id name } }
        }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);

/** One revision, the one after the cursor, and how it differs from another. */
export const DIFF = graphql(`
  query Diff($id: ID!, $after: String, $from: Int) {
    document(id: $id) {
      id
      history(first: 1, after: $after) {
        nodes { id rev diff(from: $from) { pointer op before after } }
      }
    }
  }
`);

/** How far a job is. */
export const JOB = graphql(`
  query Job($id: ID!) {
    job(id: $id) { id state done total result errorCode }
  }
`);

export type Target = ResultOf<typeof TARGET>;
export type ContentType = ResultOf<typeof CONTENT_TYPES>['contentTypes'][number];
export type DocumentRow = ResultOf<typeof DOCUMENTS>['documents']['nodes'][number];
export type OpenDocument = NonNullable<ResultOf<typeof DOCUMENT>['document']>;
export type BacklinkPage = ResultOf<typeof BACKLINKS>['backlinks'];

/** Answers of mutations that change which documents there are, without naming any: lists of them are asked for again. */
export const listed = {
  additionalTypenames: ['Document', 'DeleteDocumentPayload', 'RestoreDocumentPayload', 'PurgeDocumentPayload'],
};
