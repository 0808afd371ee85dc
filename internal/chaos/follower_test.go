package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// follower follows the topic over whatever server there is, goes on where it was, and notes what is missing or comes twice.
type follower struct {
	w *world

	mu      sync.Mutex
	last    int
	cursor  string
	wrong   []string
	resumed int
}

const followQuery = `subscription($c: [ChannelInput!]!) { live(channels: $c) { kind cursor error { code } data { ... on TopicMessageList { messages { number } } } } }`

func (f *follower) follow(stop <-chan struct{}) {
	for {
		f.once(f.w.any(), stop)
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond): // the pace of the client
		}
	}
}

// once follows over one socket until it ends, or is given up.
func (f *follower) once(s *server, stop <-chan struct{}) {
	ws, res, err := (&websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: 3 * time.Second}).
		Dial("ws"+strings.TrimPrefix(s.url, "http")+"/graphql", nil)
	if err != nil {
		return
	}
	_ = res.Body.Close()
	done := make(chan struct{})
	defer close(done)
	defer func() { _ = ws.NetConn().Close() }()
	go func() {
		select {
		case <-stop:
		case <-done:
		case <-time.After(time.Duration(2+rand.IntN(8)) * time.Second): // then elsewhere
		}
		_ = ws.NetConn().Close()
	}()
	channel := map[string]any{"key": "t", "topic": map[string]any{"key": "chaos", "last": 1000}}
	f.mu.Lock()
	if f.cursor != "" {
		channel["after"] = f.cursor
	}
	f.mu.Unlock()
	_ = ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + f.w.root.token}})
	_ = ws.WriteJSON(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": followQuery, "variables": map[string]any{"c": []any{channel}}}})
	for {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if ws.ReadJSON(&m) != nil {
			return
		}
		if m.Type == "next" && !f.fold(m.Payload) {
			return
		}
	}
}

// fold takes a message in, and reports whether the channel goes on.
func (f *follower) fold(payload json.RawMessage) bool {
	var p struct {
		Data struct {
			Live struct {
				Kind, Cursor string
				Data         struct{ Messages []struct{ Number int } }
			}
		}
	}
	if json.Unmarshal(payload, &p) != nil {
		return false
	}
	m := p.Data.Live
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m.Kind {
	case "NOTICE":
		return false // refused while the server knows too little; elsewhere then
	case "RESUMED":
		f.resumed++
	case "SNAPSHOT", "RESYNC":
		if n := len(m.Data.Messages); n > 0 && (m.Data.Messages[0].Number > f.last+1 || m.Data.Messages[n-1].Number < f.last) {
			f.wrong = append(f.wrong, fmt.Sprintf("a state from %d to %d after %d", m.Data.Messages[0].Number, m.Data.Messages[n-1].Number, f.last))
		} else if n > 0 {
			f.last = m.Data.Messages[n-1].Number
		}
	case "DELTA":
		for _, one := range m.Data.Messages {
			if one.Number != f.last+1 {
				f.wrong = append(f.wrong, fmt.Sprintf("message %d after %d", one.Number, f.last))
			}
			f.last = one.Number
		}
	}
	f.cursor = m.Cursor
	return true
}
