// Package exec is the run time below the code that gqlgen generates: what it calls for each object, field and list.
// Package graphql has the same functions, which serve every schema there may be; these are for lists of objects of which
// most fields are plain, and answer the same, byte for byte:
//
//   - a list starts no goroutines when nothing below it waits for anything by itself (see [Plan]);
//   - a field without arguments and without a selection gets no context of its own, unless something is wrong with it;
//   - an object is written without a map, and nothing is set aside for @defer, which this server takes for what it may be
//     taken for: a hint.
//
// The generated code calls it because scripts/generate rewrites the calls; see graph/exec/rewrite. What this saves is
// measured by BenchmarkServing.
package exec
