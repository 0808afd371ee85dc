// Package app is the composition root: it builds every part, starts them in order, and stops them in the reverse order.
// It is the only place that knows all packages, and the only one that makes a context from nothing.
package app
