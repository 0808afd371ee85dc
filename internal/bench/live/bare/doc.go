// Package bare is a gqlgen server with the transport gqlgen brings along, and the fan-out its guide leads to: a Go channel
// for each subscription.
package bare

//go:generate go tool gqlgen generate
