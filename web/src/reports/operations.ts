import { graphql, type ResultOf, type VariablesOf } from '../gql/graphql';
import { REPORT } from './fragments';

export const METRICS = graphql(`
  query Metrics {
    metrics { key event value unique quantiles where { dimension in not } dimensions maxKeys minuteDays hourDays }
  }
`);

export const READ_REPORT = graphql(
  `
    query ReadReport($input: ReportInput!) {
      report(input: $input) { ...ReportFields }
    }
  `,
  [REPORT],
);

export type Metric = ResultOf<typeof METRICS>['metrics'][number];
export type ReportInput = VariablesOf<typeof READ_REPORT>['input'];
/** A report as a query gives it; that of a channel is one, too. */
export type ReadReport = ResultOf<typeof READ_REPORT>['report'];
export type Filter = NonNullable<ReportInput['where']>[number];

export const SAVED_REPORTS = graphql(`
  query SavedReports {
    documents(type: "core.report", first: 100) { nodes { id rev label data } }
  }
`);

/** A kept report as a document. */
export type SavedDocument = ResultOf<typeof SAVED_REPORTS>['documents']['nodes'][number] & {
  data: { kind: string; query: Record<string, unknown> };
};
