package app_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// frozen is a clock that stands still, so that no bucket fills up again while a slow machine works.
func frozen() clock.Clock { return clock.NewManual(time.Now()).Now }

// codes are the codes of an answer by its aliases, in their order.
func codes(r apptest.Response) (all []string) {
	for _, e := range r.Errors {
		code, _ := e.Extensions["code"].(string)
		all = append(all, code)
	}
	return all
}

// aliased is a document that tries several times, with one field each.
func aliased(n int, field string) string {
	var b strings.Builder
	b.WriteString("mutation {")
	for i := range n {
		fmt.Fprintf(&b, " a%d: %s", i, strings.ReplaceAll(field, "#", strconv.Itoa(i)))
	}
	return b.String() + " }"
}

func count(all []string, code string) (n int) {
	for _, c := range all {
		if c == code {
			n++
		}
	}
	return n
}

// TestReq16AliasesAreAttempts: more than twenty fields in one document are refused, and twenty are twenty attempts, at the
// account and from the network.
func TestReq16AliasesAreAttempts(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Clock: frozen(), Args: []string{"--auth-per-account=10", "--auth-per-network=25"}})
	p := newPerson(t, s, "victim")
	guess := `signIn(input: {identifier: "` + p.Email + `", password: "guess #"}) { result { __typename } }`
	if got := codes(s.Browser().Do(aliased(30, guess), nil)); len(got) != 1 || got[0] != "QUERY_TOO_COMPLEX" {
		t.Errorf("30 fields in one document: %v", got)
	}
	r := s.Browser().Do(aliased(20, guess), nil)
	if got := codes(r); count(got, "BAD_CREDENTIALS") != 10 || count(got, "RATE_LIMITED") != 10 {
		t.Fatalf("20 guesses at one account: %v", got)
	}
	for _, e := range r.Errors {
		after, told := e.Extensions["retryAfter"].(float64)
		if limited := e.Extensions["code"] == "RATE_LIMITED"; told != limited || limited && (after < 1 || after > 90) {
			t.Errorf("retryAfter: %v", e.Extensions)
		}
	}
	// Req 19: its owner is not kept out, who comes with a device that is known.
	p.Must(`mutation { signOut { ended } }`, nil)
	if got := codes(mutate(s.Browser(), "signIn", credentials(p.Email), outcomes)); count(got, "RATE_LIMITED") != 1 {
		t.Errorf("the right password from an unknown device: %v", got)
	}
	if in := step(t, p.Client, "signIn", credentials(p.Email)); in.Type != "SignedIn" {
		t.Errorf("the owner from a known device: %+v", in)
	}
	// Ten of the network's 25 are used up: what was refused has cost nothing, and what was right neither.
	r = s.Browser().Do(aliased(20, `signIn(input: {identifier: "nobody#@example.org", password: "guess"}) { result { __typename } }`), nil)
	if got := codes(r); count(got, "BAD_CREDENTIALS") != 15 || count(got, "RATE_LIMITED") != 5 {
		t.Errorf("20 guesses at as many accounts: %v", got)
	}
	// Req 20: every other way in shares the network's count, and req 22: each limit is told once.
	for name, in := range map[string]map[string]any{
		"verifyEmail": {"flow": "bbf_x", "code": "123456"}, "signInWithMail": {"token": "bbl_x"}, "resetPassword": {"token": "bbl_x", "password": "a quite different phrase"},
		"signInWithPasskey": {"flow": "bbf_x", "credential": map[string]any{}}, "confirmEmail": {"token": "bbl_x"},
	} {
		if r := mutate(p.Client, name, in, "__typename"); r.Code() != "RATE_LIMITED" {
			t.Errorf("%s is a way around: %q", name, r.Code())
		}
	}
	if status, body, header := get(t, s.URL+"/graphql?query=%7B__typename%7D", "Authorization", "Bearer bbk_guess", "Accept", "application/json"); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("a guess at a key: %d %s", status, body)
	}
	if code := initWith(t, s, "bbs_guess"); code != 4403 {
		t.Errorf("a guess over a socket: %d", code)
	}
	if n := storetest.Count(t, s.DB(), "events", bson.D{{Key: "kind", Value: "throttle.limit.reached"}}); n != 2 {
		t.Errorf("%d events for two limits", n)
	}
	// Req 17: and signing in to an account of one's own gives none of it back; with a good session one goes on.
	if r := p.Do(`{ me { user { id } } }`, nil); r.Status != 200 || r.Data["me"] == nil {
		t.Errorf("somebody who is signed in, on that network: %d", r.Status)
	}
}

// TestReq21CountersAreShared: what one node counts, the other and the next know.
func TestReq21CountersAreShared(t *testing.T) {
	t.Parallel()
	setup := apptest.Setup{Clock: frozen(), Args: []string{"--auth-per-account=3"}}
	a := apptest.Start(t, setup)
	setup.Database = a.Database
	b := apptest.Start(t, setup)
	p := newPerson(t, a, "shared")
	for i, s := range []*apptest.Server{a, b, a, b} {
		want := "BAD_CREDENTIALS"
		if i == 3 {
			want = "RATE_LIMITED"
		}
		if r := mutate(s.Browser(), "signIn", map[string]any{"identifier": p.Email, "password": "wrong"}, outcomes); r.Code() != want {
			t.Errorf("guess %d: %q", i, r.Code())
		}
	}
}

// guessFrom tries to sign in, each time with another X-Forwarded-For, and gives the codes.
func guessFrom(s *apptest.Server, addresses ...string) (all []string) {
	for i, a := range addresses {
		in := map[string]any{"identifier": fmt.Sprintf("nobody%d@example.org", i), "password": "guess"}
		all = append(all, mutate(s.Browser(), "signIn", in, outcomes, "X-Forwarded-For", a, "X-Real-Ip", a, "Forwarded", "for="+a, "Cf-Connecting-Ip", a).Code())
	}
	return all
}

// TestReq18ForgedAddress: without proxies to trust the peer counts, in the limiter, the session and the log of events.
func TestReq18ForgedAddress(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Clock: frozen(), Args: []string{"--auth-per-network=3"}})
	p := newPerson(t, s, "forger")
	in := payload[result](t, mutate(s.Browser(), "signIn", credentials(p.Email), outcomes, "X-Forwarded-For", "203.0.113.9"), "signIn")
	if in.Result.Session.IP != "127.0.0.1" {
		t.Errorf("the session says it came from %s", in.Result.Session.IP)
	}
	got := guessFrom(s, "203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5")
	if count(got, "BAD_CREDENTIALS") != 3 || count(got, "RATE_LIMITED") != 2 {
		t.Errorf("guesses from forged addresses: %v", got)
	}
	if kept := stored(t, s, "events", "sessions", "devices"); strings.Contains(kept, "203.0.113.") {
		t.Error("a forged address is kept as a true one")
	}
}

// TestReq18TrustedProxies: with them the address that the proxy saw counts, and what stands before it is still forged.
func TestReq18TrustedProxies(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Clock: frozen(), Args: []string{"--auth-per-network=3", "--trusted-proxies=1"}})
	p := newPerson(t, s, "proxied")
	in := payload[result](t, mutate(s.Browser(), "signIn", credentials(p.Email), outcomes, "X-Forwarded-For", "1.2.3.4, 203.0.113.9"), "signIn")
	if in.Result.Session.IP != "203.0.113.9" {
		t.Errorf("the session says it came from %s", in.Result.Session.IP)
	}
	for name, tc := range map[string]struct {
		from    []string
		limited int
	}{
		"many clients":               {[]string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"}, 0},
		"one that forges the others": {[]string{"1.1.1.1, 198.51.100.9", "2.2.2.2, 198.51.100.9", "3.3.3.3, 198.51.100.9", "4.4.4.4, 198.51.100.9", "5.5.5.5, 198.51.100.9"}, 2},
		"one with a v6 network":      {[]string{"2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff::3", "2001:db8:0:1::4", "2001:db8:0:1::5"}, 2},
		"no addresses at all":        {[]string{"unknown", "_hidden", "", "999.1.1.1", "127.0.0.1"}, 2}, // the peer's, the proxy's own
	} {
		if got := guessFrom(s, tc.from...); count(got, "RATE_LIMITED") != tc.limited || count(got, "BAD_CREDENTIALS") != 5-tc.limited {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestReq51HugeAuthorization: a megabyte of it is refused before it is read, whoever sends it and however often.
func TestReq51HugeAuthorization(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 20 {
		if status := sendHuge(t, s); status != 0 && status != http.StatusRequestHeaderFieldsTooLarge {
			t.Fatalf("a megabyte of Authorization: %d", status)
		}
	}
	runtime.ReadMemStats(&after)
	// The rest of the process allocates too: 20 MB was sent, and a parser that splits at the dots makes 20 million strings.
	if grown := (after.TotalAlloc - before.TotalAlloc) >> 20; grown > 200 {
		t.Errorf("%d MiB were allocated for it", grown)
	}
	if r := s.Browser().Do(`{ __typename }`, nil); r.Status != http.StatusOK {
		t.Errorf("afterwards: %d", r.Status)
	}
}

// sendHuge gives the status of the answer; 0 when the server cut the connection while the header was still on its way.
func sendHuge(t *testing.T, s *apptest.Server) int {
	t.Helper()
	var d net.Dialer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(conn, "POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+strings.Repeat(".", 1<<20)+"\r\nContent-Length: 0\r\n\r\n")
	}()
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	_ = conn.Close()
	<-sent
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}
