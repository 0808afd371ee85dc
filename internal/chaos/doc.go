// Package chaos proves what is promised of faults: several servers on a replica set of three, mixed traffic whose history is kept,
// and somebody who kills, stops, cuts and delays. In the end the history is compared with what is stored. `make chaos` is the
// long form.
package chaos
