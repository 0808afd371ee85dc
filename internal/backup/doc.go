// Package backup copies a database, and the files that are kept beside it, into one file and back.
//
// The copy is what a snapshot of one cluster time shows, however much is written meanwhile. The file is a zip archive: one entry of BSON for each
// collection and one for each file, compressed by Zstandard, and a manifest with counts and checksums. Indexes and validators are not in it: they
// come from the schema. What is sealed in the database stays sealed: the keys are not in it either.
package backup
