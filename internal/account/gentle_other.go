//go:build !linux

package account

// gently runs do. Elsewhere a thread has no priority of its own that we know how to lower.
func gently(do func()) { do() }
