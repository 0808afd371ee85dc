package mongod

import "syscall"

// childAttr keeps Ctrl-C in the console from the child. An orphan is stopped by the next start.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}

func raiseFileLimit() {} // Windows has no such limit

func freeBytes(string) (n uint64, known bool) { return 0, false }
