package graph

import (
	"os"
	"testing"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if load := os.Getenv(benchLiveEnv); load != "" {
		serveBenchLive(load)
	}
	storetest.Main(m)
}
