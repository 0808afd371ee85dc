package graph

import (
	"os"
	"testing"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if kind := os.Getenv(broadcastEnv); kind != "" {
		serveBroadcast(kind) // the server process of BenchmarkBroadcast
	}
	storetest.Main(m)
}
