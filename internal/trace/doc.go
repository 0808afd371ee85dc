// Package trace follows a request through the process: [Work] notes which commands of the database were sent on behalf of a context,
// and a [Tracer] makes spans of OpenTelemetry of requests, operations, commands and jobs, if somebody collects them.
//
// Neither ever holds what a client sent or the database answered: names, durations and codes alone. The exception is the slowest
// read of a Work, which is kept until its context is done with so that the server can be asked how it planned it; nothing prints it.
package trace
