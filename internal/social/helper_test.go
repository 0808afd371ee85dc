package social

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/ticket"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const publicURL = "https://book.example"

// node is the service with what its tests look into.
type node struct {
	*Service
	db    *store.DB
	clock *clock.Manual
	log   *journal
}

// setUp makes a service for these providers. Its clock shows the time of day, since providers sign by theirs.
func setUp(t testing.TB, providers ...Provider) node {
	t.Helper()
	db := storetest.DB(t)
	cols := append(append(Collections(), event.Collections()...), ticket.Collections()...)
	if _, err := db.Migrate(t.Context(), store.Plan{Collections: cols}, false); err != nil {
		t.Fatal(err)
	}
	return newNode(t, db, providers)
}

// with is another service on the same database.
func (n node) with(t testing.TB, providers ...Provider) node { return newNode(t, n.db, providers) }

func newNode(t testing.TB, db *store.DB, providers []Provider) node {
	t.Helper()
	c, log := clock.NewManual(time.Now()), &journal{}
	lines := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := New(db, event.NewLog(db, c.Now), c.Now, ticket.New(db, c.Now), lines, Config{PublicURL: publicURL + "/", Providers: providers, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	return node{s, db, c, log}
}

// journal is a log that can be read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// idp is a provider of OpenID Connect on loopback, which can be made to misbehave.
type idp struct {
	*mockoidc.MockOIDC
	key string

	mu    sync.Mutex
	hits  map[string]int                         // requests by last part of the path
	seen  []string                               // every token that went out
	fault map[string]func(w http.ResponseWriter) // instead of the answer, by last part of the path
	edit  map[string]func(answer map[string]any) // of the JSON answer, by last part of the path
}

func newIDP(t testing.TB, key string) *idp {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Keypair.KeyID(); err != nil { // computed when first asked for, without a lock
		t.Fatal(err)
	}
	i := &idp{
		MockOIDC: m, key: key, hits: map[string]int{}, fault: map[string]func(http.ResponseWriter){}, edit: map[string]func(map[string]any){},
	}
	if err := m.AddMiddleware(i.meddle); err != nil {
		t.Fatal(err)
	}
	l := httptest.NewUnstartedServer(nil).Listener
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Server.Close() })
	return i
}

// meddle counts, breaks and changes what the provider answers.
func (i *idp) meddle(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		what := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		i.mu.Lock()
		defer i.mu.Unlock()
		i.hits[what]++
		if f := i.fault[what]; f != nil {
			f(w)
			return
		}
		rec := httptest.NewRecorder()
		next.ServeHTTP(rec, r)
		body := rec.Body.Bytes()
		var answer map[string]any
		if json.Unmarshal(body, &answer) == nil {
			if f := i.edit[what]; f != nil {
				f(answer)
				body, _ = json.Marshal(answer)
			}
			for _, k := range []string{"access_token", "id_token", "refresh_token"} {
				if s, ok := answer[k].(string); ok && what == "token" {
					i.seen = append(i.seen, s)
				}
			}
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(body)
	})
}

const (
	discoveryPart = "openid-configuration"
	keysPart      = "jwks.json"
	tokenPart     = "token"
	userPart      = "userinfo"
)

// breaks makes one part of the provider answer with a status, until repaired with 0.
func (i *idp) breaks(part string, status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.fault, part)
	if status != 0 {
		i.fault[part] = func(w http.ResponseWriter) { http.Error(w, "out of order, "+strings.Repeat("sorry ", 1000), status) }
	}
}

// says changes the JSON answers of one part.
func (i *idp) says(part string, edit func(map[string]any)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.edit[part] = edit
}

func (i *idp) count(part string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.hits[part]
}

// pass lets time go by for both sides.
func (n node) pass(i *idp, d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.FastForward(d)
	n.clock.Advance(d)
}

func (i *idp) provider() Provider {
	return Provider{Key: i.key, Name: "Acme", Issuer: i.Issuer(), ClientID: i.ClientID, ClientSecret: i.ClientSecret}
}

// user is who signs in at the provider.
type user struct {
	sub    string
	claims map[string]any // more for the ID token, or other values; nil deletes one
	info   map[string]any // what the user endpoint says
}

func (u user) ID() string                        { return u.sub }
func (u user) Userinfo([]string) ([]byte, error) { return json.Marshal(u.info) }

func (u user) Claims(_ []string, base *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	text, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	all := jwt.MapClaims{}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for k, v := range u.claims {
		if all[k] = v; v == nil {
			delete(all, k)
		}
	}
	return all, nil
}

// ada signs in with a verified address.
func ada(sub string) user {
	return user{sub: sub, claims: map[string]any{"email": "ada@example.org", "email_verified": true, "name": "Ada"}}
}

func (n node) begin(t testing.TB, c BeginCmd) Start {
	t.Helper()
	s, err := n.Begin(t.Context(), c)
	if err != nil {
		t.Fatalf("Begin() = %v", err)
	}
	return s
}

// visit is the browser: it goes to the provider, signs in, and is sent back.
func visit(t testing.TB, s Start) FinishCmd {
	t.Helper()
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browser.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("the provider answers %d: %v", resp.StatusCode, err)
	}
	key, ok := strings.CutPrefix(back.Path, CallbackPath)
	if !ok || !strings.HasPrefix(back.String(), publicURL+"/") {
		t.Fatalf("sent back to %s", back)
	}
	q := back.Query()
	return FinishCmd{Provider: key, State: q.Get("state"), Code: q.Get("code"), Issuer: q.Get("iss"), Error: q.Get("error"), Binding: s.Binding}
}

// signIn goes the whole way.
func (n node) signIn(t testing.TB, i *idp, u mockoidc.User) (Finished, error) {
	t.Helper()
	start := n.begin(t, BeginCmd{Provider: i.key, ReturnTo: "/inbox"})
	i.QueueUser(u)
	return n.Finish(t.Context(), visit(t, start))
}

func (n node) mustSignIn(t testing.TB, i *idp, u mockoidc.User) Claims {
	t.Helper()
	done, err := n.signIn(t, i, u)
	if err != nil {
		t.Fatalf("Finish() = %v", err)
	}
	return done.Claims
}

// ticketOf reads the sign-in of a state.
func (n node) ticketOf(t testing.TB, state string) (ticket.Ticket, attempt) {
	t.Helper()
	tk, err := n.tickets.Peek(t.Context(), TicketKind, state)
	if err != nil {
		t.Fatal(err)
	}
	var a attempt
	if err := tk.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return tk, a
}

// dump is all that is stored, as text.
func (n node) dump(t testing.TB) string {
	t.Helper()
	var all strings.Builder
	for _, coll := range []string{collection, "events", "tickets"} {
		docs, err := store.Find[bson.Raw](t.Context(), n.db.Collection(coll), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			all.Write(d) // strings are stored as they are
			all.WriteString(d.String())
		}
	}
	return all.String()
}

func (n node) log1(t testing.TB, kind string) event.Event {
	t.Helper()
	found, err := store.Find[event.Event](t.Context(), n.db.Collection("events"), bson.D{{Key: "kind", Value: kind}})
	if err != nil || len(found) != 1 {
		t.Fatalf("events %s: %+v, %v", kind, found, err)
	}
	return found[0]
}

func query(t testing.TB, address string) url.Values {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// gone is the context of a caller who has left.
func gone(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
