package clock

import (
	"context"
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
