package clock

import (
	"context"
	"math"
	"testing"
	"time"
)

func TestSystemIsWhatBSONKeeps(t *testing.T) {
	t.Parallel()
	now := System()()
	if now.Location() != time.UTC || now.Nanosecond()%int(time.Millisecond) != 0 {
		t.Errorf("System() = %v", now)
	}
}

func TestManualMovesOnlyWhenMoved(t *testing.T) {
	t.Parallel()
	m := NewManual(time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC))
	var c Clock = m.Now
	before := c()
	if m.Advance(time.Hour); c().Sub(before) != time.Hour {
		t.Errorf("moved by %v", c().Sub(before))
	}
}

func TestSleepEndsWithTheContext(t *testing.T) {
	t.Parallel()
	if !Sleep(t.Context(), time.Millisecond) {
		t.Error("Sleep() gave up")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if Sleep(ctx, time.Hour) {
		t.Error("Sleep() outlived its context")
	}
}

func TestParseWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"1500": 1500 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "99999999999999999": time.Duration(math.MaxInt64 / 1_000_000 * 1_000_000),
		"": 0, "0": 0, "-1": 0, "0s": 0, "-1s": 0, "soon": 0, "99999999999999999999": 0,
	} {
		if got, ok := ParseWait(text); ok != (want > 0) || ok && got != want {
			t.Errorf("%q: %s, %t", text, got, ok)
		}
	}
}
