package graph

import (
	"encoding/json"
	"testing"
)

// TestReq79OperationsEndAlone: what ends of one operation is that operation, and nothing else of the socket.
func TestReq79OperationsEndAlone(t *testing.T) {
	t.Parallel()
	rig := newSocketRig(t, SocketConfig{})
	c := rig.signIn("u")
	next := func(id, channel string, seq int64) {
		t.Helper()
		m := c.expect("next")
		var r liveReply
		if err := json.Unmarshal(m.Payload, &r); err != nil || m.ID != id || r.Data.Live.Channel != channel || r.Data.Live.Seq != seq {
			t.Fatalf("operation %q tells %s, %v; want number %d of %q in %q", m.ID, m.Payload, err, seq, channel, id)
		}
	}
	c.send(subscribeTo("1", "a"))
	next("1", "a", 1)

	c.send(`{"id":"1","type":"complete"}`)
	c.send(subscribeTo("1", "b")) // an id is free at once
	next("1", "b", 1)
	storetestEventually(t, func() bool { return rig.hub.Stats().Streams == 1 }, "the first stream has ended")
	rig.hub.Publish("a", published{n: 1})
	rig.hub.Publish("b", published{n: 1})
	next("1", "b", 2)

	c.send(subscribeTo("2", "c"))
	next("2", "c", 1)
	c.send(`{"id":"1","type":"complete"}`)
	storetestEventually(t, func() bool { return rig.hub.Stats().Streams == 1 }, "the second stream has ended")
	rig.hub.Publish("b", published{n: 2})
	rig.hub.Publish("c", published{n: 2})
	next("2", "c", 2)

	c.send(`{"id":"3","type":"subscribe","payload":{"query":"{ nope }"}}`)
	var list []struct{ Message string }
	if m := c.expect("error"); m.ID != "3" || json.Unmarshal(m.Payload, &list) != nil || len(list) == 0 || list[0].Message == "" {
		t.Errorf("a refused document is told as %s of %q", m.Payload, m.ID)
	}
	rig.hub.Publish("c", published{n: 3})
	next("2", "c", 3)
	if left := c.alive(); len(left) > 0 {
		t.Errorf("there was more: %v", left)
	}
}
