//go:build !linux && !windows

package mongod

import "syscall"

// childAttr puts the child into a process group of its own, or Ctrl-C in the terminal would end it before this process
// has drained. There is no parent-death signal here: an orphan is stopped by the next start.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
