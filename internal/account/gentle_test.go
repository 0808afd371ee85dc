package account

import "testing"

// TestGentlyPassesAPanicOn: what breaks on the other thread breaks the request, not the server.
func TestGentlyPassesAPanicOn(t *testing.T) {
	t.Parallel()
	ran := false
	gently(func() { ran = true })
	if !ran {
		t.Error("it did not run")
	}
	defer func() {
		if p := recover(); p != "broken" {
			t.Errorf("recovered %v", p)
		}
	}()
	gently(func() { panic("broken") })
}
