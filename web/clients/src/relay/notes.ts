// The documents of the Relay sample: relay-compiler makes an artifact of each, babel-plugin-relay puts it in its place.
import { graphql } from 'relay-runtime';

export const list = graphql`
  fragment notes_list on Query
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" })
  @refetchable(queryName: "notesPageQuery") {
    documents(type: "note", first: $count, after: $cursor) @connection(key: "notes_list_documents") {
      __id
      edges {
        node {
          id
          label
        }
      }
    }
  }
`;

export const query = graphql`
  query notesQuery {
    ...notes_list
  }
`;

export const note = graphql`
  query notesNoteQuery($id: ID!) {
    node(id: $id) {
      __typename
      id
      ... on Document {
        rev
        label
        data
      }
    }
  }
`;

export const write = graphql`
  mutation notesWriteMutation($data: JSON!, $connections: [ID!]!) {
    createDocument(input: { type: "note", data: $data }) {
      document @prependNode(connections: $connections, edgeTypeName: "DocumentEdge") {
        id
        rev
        label
      }
    }
  }
`;

export const remove = graphql`
  mutation notesRemoveMutation($id: ID!, $connections: [ID!]!) {
    deleteDocument(input: { id: $id }) {
      deleted @deleteEdge(connections: $connections)
    }
  }
`;
