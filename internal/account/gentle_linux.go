package account

import (
	"runtime"
	"syscall"
)

// gentlePriority is the nice value of threads that hash: everybody else goes before them.
const gentlePriority = 10

// gently runs do on a thread of low priority and waits for it. A hash is a long time for a core; the requests that want
// one meanwhile are short.
func gently(do func()) {
	done := make(chan struct{})
	var crash any
	go func() {
		defer close(done)
		defer func() { crash = recover() }()
		// Never unlocked: the thread ends with the goroutine, for a priority that was lowered can't be raised again.
		runtime.LockOSThread()
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), gentlePriority) // without it, it is only less gentle
		do()
	}()
	<-done
	if crash != nil {
		panic(crash)
	}
}
