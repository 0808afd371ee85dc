package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const cutsQuery = `subscription($c: [ChannelInput!]!) { live(channels: $c) { channel kind seq firstSeq cursor error { code } data {
	... on TopicMessageList { messages { number } }
	... on DocumentList { documents { id rev } }
	... on DocumentListDelta { changes { op id index from document { id rev } } } } } }`

// doc is a document as a list shows it.
type doc struct {
	ID  string
	Rev int
}

type cutMessage struct {
	Channel, Kind, Cursor string
	Seq, FirstSeq         int
	Error                 *struct{ Code string }
	Data                  struct {
		Messages  []struct{ Number int }
		Documents []doc
		Changes   []struct {
			Op, ID   string
			Index    int
			From     *int
			Document *doc
		}
	}
}

// surfer follows a topic and a list over sockets that are cut again and again, on whatever node, and folds what it is told.
// It notes what was lost, doubled or out of order.
type surfer struct {
	token string

	mu      sync.Mutex
	last    int // number of the last message of the topic
	docs    []doc
	seq     map[string]int
	cursor  map[string]string
	wrong   []string
	resumed int
	began   int
}

func (s *surfer) fail(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// surf follows over one socket until that many messages came, or it ends by itself.
func (s *surfer) surf(t *testing.T, url string, most int, stop <-chan struct{}) {
	ws, resp, err := (&websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}, HandshakeTimeout: 5 * time.Second}).
		DialContext(t.Context(), "ws"+strings.TrimPrefix(url, "http")+"/graphql", nil)
	if err != nil {
		return // the node is on its way out, or in
	}
	_ = resp.Body.Close()
	done := make(chan struct{})
	defer close(done)
	defer func() { _ = ws.NetConn().Close() }() // no goodbye
	go func() {
		select {
		case <-stop:
			_ = ws.NetConn().Close()
		case <-done:
		}
	}()
	channels := []map[string]any{
		{"key": "t", "topic": map[string]any{"key": "cuts", "last": 1000}},
		{"key": "d", "documents": map[string]any{"type": "note", "first": 5}},
	}
	s.mu.Lock()
	for _, c := range channels {
		if at := s.cursor[c["key"].(string)]; at != "" {
			c["after"] = at
		}
	}
	s.mu.Unlock()
	_ = ws.WriteJSON(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": "Bearer " + s.token}})
	_ = ws.WriteJSON(map[string]any{"id": "1", "type": "subscribe", "payload": map[string]any{"query": cutsQuery, "variables": map[string]any{"c": channels}}})
	for came := 0; came < most; {
		var m struct {
			Type    string
			Payload json.RawMessage
		}
		if ws.ReadJSON(&m) != nil {
			return
		}
		var p struct{ Data struct{ Live cutMessage } }
		if m.Type == "next" && json.Unmarshal(m.Payload, &p) == nil {
			s.fold(p.Data.Live)
			came++
		}
	}
}

func (s *surfer) fold(m cutMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch m.Kind {
	case "RESUMED":
		s.resumed++
		if m.Seq != s.seq[m.Channel] {
			s.fail("%s resumed at %d after %d", m.Channel, m.Seq, s.seq[m.Channel])
		}
	case "SNAPSHOT", "RESYNC":
		if (m.Kind == "SNAPSHOT") != (s.cursor[m.Channel] == "") {
			s.fail("%s begins with %s, cursor %q", m.Channel, m.Kind, s.cursor[m.Channel])
		}
		s.began++
		s.whole(m)
	case "DELTA":
		if m.FirstSeq != s.seq[m.Channel]+1 {
			s.fail("%s: %d to %d after %d", m.Channel, m.FirstSeq, m.Seq, s.seq[m.Channel])
		}
		s.change(m)
	default:
		s.fail("%s: %s %v", m.Channel, m.Kind, m.Error)
		return
	}
	s.seq[m.Channel], s.cursor[m.Channel] = m.Seq, m.Cursor
}

func (s *surfer) whole(m cutMessage) {
	if m.Channel == "d" {
		s.docs = m.Data.Documents
		return
	}
	if n := len(m.Data.Messages); n > 0 {
		if first, last := m.Data.Messages[0].Number, m.Data.Messages[n-1].Number; first > s.last+1 || last < s.last {
			s.fail("a state from %d to %d after %d", first, last, s.last)
		} else {
			s.last = last
		}
	}
}

func (s *surfer) change(m cutMessage) {
	for _, one := range m.Data.Messages {
		if one.Number != s.last+1 {
			s.fail("message %d after %d", one.Number, s.last)
		}
		s.last = one.Number
	}
	for _, c := range m.Data.Changes {
		here := slices.IndexFunc(s.docs, func(d doc) bool { return d.ID == c.ID })
		if (here < 0) != (c.Op == "ENTER") || c.From != nil && *c.From != here {
			s.fail("%s of %s, which is at %d", c.Op, c.ID, here)
			continue
		}
		if here >= 0 {
			s.docs = slices.Delete(slices.Clone(s.docs), here, here+1)
		}
		if c.Document != nil {
			s.docs = slices.Insert(slices.Clone(s.docs), c.Index, *c.Document)
		}
	}
}

// TestLiveSurvivesCuts cuts sockets at random and ends nodes while messages are published and documents change: each follower
// has every message once and in order, and in the end sees what a query does. LIVE_CUTS says how often, 200 unless told.
func TestLiveSurvivesCuts(t *testing.T) {
	t.Parallel()
	cuts := int64(howMany(t, "LIVE_CUTS", 200))
	a, b := twoNodes(t)
	var others [2]atomic.Pointer[apptest.Server]
	others[0].Store(b)
	others[1].Store(apptest.Start(t, apptest.Setup{Database: a.Database}))
	root := admin(t, a)
	defineNote(root)
	root.Must(defineTopicDoc, map[string]any{"in": map[string]any{"key": "cuts", "history": 1000}})

	stop, quiet := make(chan struct{}), make(chan struct{})
	var writing, surfing sync.WaitGroup
	published := 0
	writing.Go(func() {
		var mine []string
		for n := 1; ; n++ {
			select {
			case <-quiet:
				return
			default:
			}
			if root.Do(publishDoc, map[string]any{"in": map[string]any{"topic": "cuts", "data": map[string]any{"n": n}}}).Code() == "" {
				published++
			}
			switch {
			case n%3 == 0 || len(mine) == 0:
				r := root.Do(createDoc, note(strconv.Itoa(n)))
				if r.Code() == "" {
					id, _ := r.Data["createDocument"].(map[string]any)["document"].(map[string]any)["id"].(string)
					mine = append(mine, id)
				}
			case n%7 == 0:
				root.Do(deleteDoc, map[string]any{"in": map[string]any{"id": mine[len(mine)-1]}})
				mine = mine[:len(mine)-1]
			default:
				root.Do(updateDoc, map[string]any{"in": map[string]any{"id": mine[rand.IntN(len(mine))], "set": map[string]any{"text": strconv.Itoa(n)}}})
			}
			time.Sleep(5 * time.Millisecond) // the pace of the writer: nothing is waited for
		}
	})
	surfers := make([]*surfer, 4)
	var done atomic.Int64
	for i := range surfers {
		s := &surfer{token: root.Token, seq: map[string]int{}, cursor: map[string]string{}}
		surfers[i] = s
		surfing.Go(func() {
			for {
				url := a.URL
				if n := rand.IntN(3); n < len(others) {
					url = others[n].Load().URL
				}
				most := 1 + rand.IntN(8)
				if done.Add(1) > cuts {
					url, most = a.URL, 1<<30 // the last one stays
				}
				s.surf(t, url, most, stop)
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := range int64(4) { // a node of three ends, and another takes its place
		eventually(t, "some cuts", func() bool { return done.Load() > cuts*(n+1)/5 })
		others[n%2].Load().Cleanup()
		others[n%2].Store(apptest.Start(t, apptest.Setup{Database: a.Database}))
	}
	eventually(t, "all cuts", func() bool { return done.Load() >= cuts+int64(len(surfers)) })
	close(quiet)
	writing.Wait()

	var want []doc
	for _, d := range at(t, root.Must(`{ documents(type: "note", first: 5) { nodes { id rev } } }`, nil), "documents", "nodes").([]any) {
		want = append(want, doc{text(t, d, "id"), int(at(t, d, "rev").(float64))})
	}
	resumed := 0
	for i, s := range surfers {
		eventually(t, fmt.Sprintf("surfer %d sees all", i), func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.last == published && slices.Equal(s.docs, want) || len(s.wrong) > 0
		})
		s.mu.Lock()
		if len(s.wrong) > 0 {
			t.Errorf("surfer %d: %d wrong, first %s", i, len(s.wrong), s.wrong[0])
		}
		resumed += s.resumed
		t.Logf("surfer %d: %d messages, resumed %d times, began %d times", i, s.last, s.resumed, s.began)
		s.mu.Unlock()
	}
	if resumed == 0 {
		t.Error("nobody ever went on where they had been")
	}
	close(stop)
	surfing.Wait()
}
