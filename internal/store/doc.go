// Package store is the connection to MongoDB and what every domain's store needs of it: transactions that respect the
// deadline, reads that do not allocate a reader per document, errors in our own words, leases, migrations and indexes.
//
// It holds no collection of a domain. A domain's queries, documents and indexes live in its own store.go; this package
// owns only `migrations` and `leases`.
//
// Writes are acknowledged by a majority with the journal, reads are majority reads from the primary, and every call
// carries a deadline: the one of its context, else Config.Timeout. The driver passes it to the server as maxTimeMS.
package store
