// Package httpapi is plain HTTP: the middleware every request passes, health, metrics and the console. GraphQL is a handler
// it is given.
//
// The public listener serves /graphql, /healthz, /readyz and the console; the internal one /metrics and /debug/pprof, and
// nothing of it is ever on the public one. [Server.chain] is the one place that lists the middleware.
//
// Invariants: every answer has a request id and the security headers; every request is logged once, without its query
// string, headers or body; a panic ends one request, not the server; an unsafe request of a foreign page never reaches a
// handler, and its cookie is never looked at.
package httpapi
