// Package cli is the command line: what commands there are, what they ask of the services, and what they print. They act
// as the system ([actor.System]) and are audited as such, through the same services as everybody.
//
// Commands print results to standard output, and nothing else there, so that they can be piped; problems and progress go
// to standard error. They exit with 0, with 1 when the work failed, and with 2 when the question made no sense.
package cli
