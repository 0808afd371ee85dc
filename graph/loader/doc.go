// Package loader joins the reads of one operation. Resolvers ask for one object at a time; a loader reads many of them
// with one call of the owning service, and none of them twice.
//
// What is read together is known, not waited for: a list tells its loaders what its items will want ([Saw] and the like),
// and the first item that asks reads for all of its peers. So a page costs the same number of reads whatever its size, a
// field that is not selected costs none, and no timer adds to the answer. For keys nobody told of, the first to ask
// lets the other resolvers run until no more keys arrive: the batches are then large, but their number is not certain.
// (Measured on two cores: a timed loader adds 1.1 ms for each level, however short its wait, and still splits a list of
// 100 in most operations of a busy process.)
//
// Loaders belong to one operation, or one event of a subscription: [With] makes them anew, so what one caller may see
// never reaches another.
package loader
