package storetest

import (
	"errors"
	"os"
	"syscall"
)

const shared, exclusive, atOnce = 0, 0, 0

var errHeld = errors.New("set " + uriEnv + ": sharing a server among test binaries is not supported on Windows")

func lock(string, int) (*os.File, error) { return nil, errHeld }

func detached() *syscall.SysProcAttr { return nil }

type supervisor struct{ pid int }

func (supervisor) ended() bool { return true }

func roomy(string) bool { return false }
