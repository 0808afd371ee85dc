import { graphql, type ResultOf } from '../gql/graphql';

const TYPE = graphql(`
  fragment TypeFields on ContentType { id key name schema version aliases state native outdated }
`);

export const TYPES = graphql(`query Types { contentTypes { ...TypeFields } }`, [TYPE]);

export const DEFINE_TYPE = graphql(
  `
    mutation DefineType($input: DefineContentTypeInput!) {
      defineContentType(input: $input) { contentType { ...TypeFields } }
    }
  `,
  [TYPE],
);

export const EVOLVE_TYPE = graphql(
  `
    mutation EvolveType($input: EvolveContentTypeInput!) {
      evolveContentType(input: $input) {
        contentType { ...TypeFields }
        check { total invalid partial problems { document pointer message } }
      }
    }
  `,
  [TYPE],
);

export const RENAME_TYPE = graphql(
  `
    mutation RenameType($input: RenameContentTypeInput!) {
      renameContentType(input: $input) { contentType { ...TypeFields } }
    }
  `,
  [TYPE],
);

export const SET_TYPE_STATE = graphql(
  `
    mutation SetTypeState($input: SetContentTypeStateInput!) {
      setContentTypeState(input: $input) { contentType { ...TypeFields } }
    }
  `,
  [TYPE],
);

export type ContentType = ResultOf<typeof TYPES>['contentTypes'][number];
export type SchemaCheck = ResultOf<typeof EVOLVE_TYPE>['evolveContentType']['check'];
