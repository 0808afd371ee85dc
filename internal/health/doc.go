// Package health asks named checks whether what the server stands on does its work. Whoever knows something that can fail makes
// a [Check] of it; probes over HTTP, GraphQL, metrics and the command line all read the same results.
package health
