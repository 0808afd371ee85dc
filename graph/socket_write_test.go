package graph

import (
	"sync"
	"testing"
)

// TestBusyChannelLeavesRoom: a channel that says much fills half of what may wait for a client, and the others have the rest.
func TestBusyChannelLeavesRoom(t *testing.T) {
	t.Parallel()
	const limit = 1000
	var o outbox
	o.ready = sync.NewCond(&o.mu)
	busy, calm := &lane{}, &lane{}
	body := make([]byte, 100)
	taken := 0
	for o.offer(busy, "p", body, limit) {
		taken++
	}
	if taken != 5 || !o.offer(calm, "p", body, limit) {
		t.Fatalf("%d messages of the busy channel, and none of the other", taken)
	}
	if large := make([]byte, 800); o.offer(calm, "p", large, limit) || !o.offer(&lane{}, "p", body, limit) {
		t.Error("more than may wait, or a third channel has no room")
	}
	if _, _, ok := o.take(nil); !ok || !o.offer(busy, "p", body, limit) {
		t.Error("nothing is taken after all was written")
	}
	if _, drained, _ := o.take(nil); drained {
		t.Error("drained with a message waiting")
	}
	if _, drained, _ := o.take(nil); !drained {
		t.Error("who was refused is not told that there is room")
	}
	if huge := make([]byte, 10*limit); !o.offer(calm, "p", huge, limit) {
		t.Error("an empty queue takes a state of any size")
	}
}
