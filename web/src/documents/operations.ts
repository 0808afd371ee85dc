import { graphql, type ResultOf } from '../gql/graphql';

const TARGET = graphql(`
  fragment Target on RefTarget {
    __typename
    ... on Document { id label type { id key name } }
    ... on User { id name }
    ... on Role { id name }
    ... on Plan { id name }
    ... on ContentType { id name }
    ... on Tombstone { id label deletedAt }
    ... on Forbidden { id }
    ... on UnknownTarget { id }
  }
`);

export const CONTENT_TYPES = graphql(`
  query ContentTypes {
    contentTypes { id key name schema }
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
    query Document($id: ID!, $after: String) {
      node(id: $id) {
        __typename
        ... on Document {
          id
          label
          rev
          createdAt
          updatedAt
          data
          type { id key name schema }
          owner { id name }
          references { path target { ...Target } }
          backlinks(first: 10, after: $after) {
            nodes { path from { id label type { id key name } } }
            pageInfo { hasNextPage endCursor }
          }
        }
      }
    }
  `,
  [TARGET],
);

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

export type Target = ResultOf<typeof TARGET>;
export type ContentType = ResultOf<typeof CONTENT_TYPES>['contentTypes'][number];
export type DocumentRow = ResultOf<typeof DOCUMENTS>['documents']['nodes'][number];
export type OpenDocument = Extract<NonNullable<ResultOf<typeof DOCUMENT>['node']>, { __typename: 'Document' }>;
