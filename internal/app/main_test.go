package app_test

import (
	"os"
	"testing"

	"github.com/backendbook/backendbook/internal/app"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// mainEnv makes this test binary be the program itself, for the tests that need a process.
const mainEnv = "BACKENDBOOK_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainEnv) != "" {
		os.Exit(app.Main(app.Process{Args: os.Args[1:], Environ: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	storetest.Main(m)
}
