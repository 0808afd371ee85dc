import { graphql } from '../gql/graphql';

export const DIAGRAM = graphql(`
  query ContentTypeDiagram {
    contentTypeDiagram { svg mermaid }
  }
`);
