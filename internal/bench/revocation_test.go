package bench

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// What the design promises of an end on one node, seen from another: at most so late for all but one in a hundred.
const (
	promisedRefusal = 250 * time.Millisecond
	promisedCut     = time.Second
)

// BenchmarkRevocation measures how long after the answer to endSession on one node another node refuses the session
// ("refusal-ratio": the 99th percentile to the 250 ms that are promised) and has cut its socket ("cut-ratio": to 1 s).
// Below 1 is kept.
func BenchmarkRevocation(b *testing.B) {
	const rounds = 200
	here := apptest.Start(b, apptest.Setup{Args: []string{"--session-max=1000"}})
	there := apptest.Start(b, apptest.Setup{Database: here.Database})
	home := here.Browser()
	email := home.Register("Rosa")
	for b.Loop() {
		var refused, cut []time.Duration
		for range rounds {
			one := enter(b, here, email)
			ws := connect(b, there, one.token)
			home.Must(`mutation($in: EndSessionInput!) { endSession(input: $in) { session } }`, map[string]any{"in": map[string]any{"session": one.id}})
			began := time.Now()
			closed := make(chan time.Duration, 1)
			go func() {
				for {
					if _, _, err := ws.ReadMessage(); err != nil {
						closed <- time.Since(began)
						return
					}
				}
			}()
			refused = append(refused, one.refusedBy(b, there, began))
			cut = append(cut, <-closed)
		}
		b.ReportMetric(float64(p99(refused))/float64(promisedRefusal), "refusal-ratio")
		b.ReportMetric(float64(p99(cut))/float64(promisedCut), "cut-ratio")
	}
}

type signedIn struct{ id, token string }

func enter(b *testing.B, s *apptest.Server, email string) signedIn {
	b.Helper()
	var got struct {
		SignIn struct {
			Result struct {
				Token   string
				Session struct{ ID string }
			}
		}
	}
	s.Browser().Read(&got, `mutation($in: SignInInput!) { signIn(input: $in) { result { ... on SignedIn { token session { id } } } } }`,
		map[string]any{"in": map[string]any{"identifier": email, "password": apptest.Password, "transport": "BEARER"}})
	return signedIn{got.SignIn.Result.Session.ID, got.SignIn.Result.Token}
}

// refusedBy asks a node until it refuses the token, and gives how long after that was.
func (o signedIn) refusedBy(b *testing.B, s *apptest.Server, began time.Time) time.Duration {
	b.Helper()
	for {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+"/graphql", strings.NewReader(`{"query":"{ me { user { id } } }"}`))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+o.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusUnauthorized {
			return time.Since(began)
		}
	}
}

// connect is a socket of the session that has been acknowledged.
func connect(b *testing.B, s *apptest.Server, token string) *websocket.Conn {
	b.Helper()
	ws, res, err := (&websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}).Dial("ws"+strings.TrimPrefix(s.URL, "http")+"/graphql", nil)
	if err != nil {
		b.Fatal(err)
	}
	_ = res.Body.Close()
	b.Cleanup(func() { _ = ws.Close() })
	hello := fmt.Sprintf(`{"type":"connection_init","payload":{"authorization":"Bearer %s"}}`, token)
	if err := ws.WriteMessage(websocket.TextMessage, []byte(hello)); err != nil {
		b.Fatal(err)
	}
	if _, m, err := ws.ReadMessage(); err != nil || !strings.Contains(string(m), "connection_ack") {
		b.Fatalf("%s, %v", m, err)
	}
	return ws
}
