// Package predicate is bounded boolean expressions over the attributes of an object, such as `object.owner == user.id`.
//
// An expression is read with the grammar of expr-lang/expr and compiled to a small tree, the [Filter], in which all that is
// known beforehand, the user, the arguments and the time, is a constant. There are two readers of that tree: [Filter.Match]
// for one object in memory, and the store's translation to a query for lists. So a list and a single check cannot disagree.
//
// The language is what both readers can do: && || !, comparisons, `in` and `not in`, object paths, user.id, args.NAME, now, and
// constants. There are no functions, no loops and no arithmetic, so the size of the expression bounds the work and no budget at
// run time is needed: at most 1,000 bytes and 200 nodes.
//
// Values compare as strictly as in MongoDB's aggregation: only strings with strings (byte by byte), numbers with numbers, booleans
// with booleans; a field that is missing is null; an array or an object equals nothing; a path does not lead through an array.
package predicate
