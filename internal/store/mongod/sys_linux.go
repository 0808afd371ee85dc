package mongod

import "syscall"

// childAttr puts the child into a process group of its own, or Ctrl-C in the terminal would end it before this process
// has drained, and asks the kernel to end it cleanly when its parent thread does (see startChild).
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
