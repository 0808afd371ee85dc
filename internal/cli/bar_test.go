package cli

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/clock"
)

func TestBar(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		terminal bool
		want     string
	}{
		"a line now and then": {false, " 25 %, 500 events, 250 a second, 6s left\n100 %, 2000 events, 250 a second\n"},
		"a bar on a terminal": {true, "\r[#######.......................]  25 %, 500 events, 250 a second, 6s left" +
			"\r[###############...............]  50 %, 1000 events, 250 a second, 4s left" +
			"\r[##############################] 100 %, 2000 events, 250 a second         \n"},
	} {
		var b bytes.Buffer
		now := clock.NewManual(time.Unix(0, 0))
		p := newBar(&b, now.Now)
		p.terminal = tc.terminal
		for _, n := range []int64{500, 1000, 2000} {
			now.Advance(time.Unix(n/250, 0).Sub(now.Now()))
			p.show(float64(n)/2000, n, "events")
		}
		p.end()
		p.end() // nothing more
		if b.String() != tc.want {
			t.Errorf("%s: %q, want %q", name, b.String(), tc.want)
		}
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if isTerminal(f) {
		t.Error("a file is no terminal")
	}
}
