// Package bare is the baseline of the serving benchmark: the server that gqlgen's own guide leads to, with its default
// transports and caches, the driver's Cursor.All and Decode, and a timed dataloader. It reads the documents and users this
// product stores, and it has no sessions, no rights, no limits, no logs and no metrics.
package bare

//go:generate go tool gqlgen generate
