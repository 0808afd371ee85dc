import { graphql } from '../gql/graphql';

export const COMPLETE_PAYMENT = graphql(`
  mutation CompleteTestPayment($input: CompleteTestPaymentInput!) {
    completeTestPayment(input: $input) { membership { id version status plan { id name } } }
  }
`);
