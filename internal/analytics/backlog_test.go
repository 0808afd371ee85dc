package analytics

import (
	"testing"
	"time"
)

// Whoever stores events waits when the folder at work is too far behind, and only then.
func TestBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	behind := func() time.Duration {
		t.Helper()
		w.backlog.looked = w.backlog.looked.Add(-backlogEvery) // as if a second had passed
		d, err := w.behind(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ago := func() { w.backlog.since = w.backlog.since.Add(-time.Minute) }

	stop := w.fold(t)
	w.track(t, flights("a", 10)...)
	w.settle(t)
	if d := behind(); d > time.Minute/2 {
		t.Errorf("%v behind when everything is folded", d)
	}
	stop()
	ago()
	w.track(t, flights("b", 10)...) // nobody has folded these
	if d := behind(); d < time.Minute {
		t.Errorf("%v behind after a minute without a step", d)
	}
	w.backlog.moved = w.backlog.moved.Add(-time.Hour)
	if d := behind(); d != 0 {
		t.Errorf("%v behind, want no wait while nobody folds", d)
	}
	w.fold(t)
	w.settle(t)
	if d := behind(); d > time.Minute/2 {
		t.Errorf("%v behind after everything was folded", d)
	}
	ago()
	w.backlog.looked = w.backlog.looked.Add(-time.Hour)
	if d := behind(); d > time.Minute/2 {
		t.Errorf("%v behind after an hour in which nothing was stored", d)
	}
}
