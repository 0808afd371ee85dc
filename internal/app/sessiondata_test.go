package app_test

import (
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/clock"
)

const (
	keepDoc = `mutation($in: SetSessionDataInput!) { setSessionData(input: $in) { datum { key value revision onSignIn expiresAt } } }`
	keptDoc = `{ sessionData { key value revision } }`
)

type kept struct {
	Key      string
	Value    map[string]any
	Revision int
}

func keptBy(c *apptest.Client) map[string]kept {
	var got struct{ SessionData []kept }
	c.Read(&got, keptDoc, nil)
	all := map[string]kept{}
	for _, one := range got.SessionData {
		all[one.Key] = one
	}
	return all
}

func keep(c *apptest.Client, in map[string]any) apptest.Response {
	return c.Do(keepDoc, map[string]any{"in": in})
}

// TestSessionData: a visitor leaves no trace until they keep something; a change can name the revision it is based on; and what
// was kept comes along into the account, by the rule of each key.
func TestSessionData(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	other := s.Browser()
	email := other.Register("Dora")
	keep(other, map[string]any{"key": "cart", "value": map[string]any{"apples": 2, "coupon": "old"}, "onSignIn": "SUM"})
	keep(other, map[string]any{"key": "seen", "value": map[string]any{"ids": []string{"a", "b"}}, "onSignIn": "UNION"})
	keep(other, map[string]any{"key": "theme", "value": map[string]any{"name": "dark"}, "onSignIn": "KEEP"})

	c := s.Browser()
	c.Must(keptDoc, nil)
	if cookies := c.Jar.Cookies(mustURL(t, s.URL)); len(cookies) != 0 {
		t.Errorf("reading leaves cookies: %v", cookies)
	}
	for _, in := range []map[string]any{
		{"key": "cart", "value": map[string]any{"apples": 3, "pears": 1}, "revision": 0},
		{"key": "seen", "value": map[string]any{"ids": []string{"b", "c"}}},
		{"key": "theme", "value": map[string]any{"name": "light"}},
		{"key": "draft", "value": map[string]any{"text": "half a page"}},
	} {
		if r := keep(c, in); r.Code() != "" {
			t.Fatalf("setSessionData(%v): %+v", in, r.Errors)
		}
	}
	if code := keep(c, map[string]any{"key": "cart", "value": map[string]any{}, "revision": 0}).Code(); code != "DATA_STALE" {
		t.Errorf("a change based on nothing: %q", code)
	}
	if stranger := keptBy(s.Browser()); len(stranger) != 0 {
		t.Errorf("somebody else sees %v", stranger)
	}
	enter(c, email)
	all := keptBy(c)
	if got := all["cart"].Value; got["apples"] != 5.0 || got["pears"] != 1.0 || got["coupon"] != "old" {
		t.Errorf("cart = %v", got)
	}
	if ids, _ := all["seen"].Value["ids"].([]any); len(ids) != 3 {
		t.Errorf("seen = %v", all["seen"].Value)
	}
	if all["theme"].Value["name"] != "dark" || all["draft"].Value["text"] != "half a page" {
		t.Errorf("theme = %v, draft = %v", all["theme"].Value, all["draft"].Value)
	}
	if here := keptBy(other); len(here) != 4 {
		t.Errorf("the other device of the user sees %v", here)
	}
	c.Must(`mutation { signOut { ended } }`, nil)
	if left := keptBy(c); len(left) != 0 {
		t.Errorf("after signing out there is still %v", left)
	}
}

// TestSessionDataOfGuest: what a guest keeps belongs to their account, and comes along when they sign in to another.
func TestSessionDataOfGuest(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	email := s.Browser().Register("Gina")
	c := s.Browser()
	c.Must(`mutation { signInAnonymously(input: {}) { result { __typename } } }`, nil)
	keep(c, map[string]any{"key": "cart", "value": map[string]any{"apples": 1}})
	enter(c, email)
	if all := keptBy(c); all["cart"].Value["apples"] != 1.0 {
		t.Errorf("the account has %v", all)
	}
}

// TestSessionDataLapses: by the clock, at read.
func TestSessionDataLapses(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := apptest.Start(t, apptest.Setup{Clock: now.Now})
	c := s.Browser()
	if code := keep(c, map[string]any{"key": "k", "value": map[string]any{"a": 1}, "ttl": 60}).Code(); code != "" {
		t.Fatal(code)
	}
	now.Advance(59 * time.Second)
	if len(keptBy(c)) != 1 {
		t.Error("gone before its time")
	}
	now.Advance(time.Second)
	if len(keptBy(c)) != 0 {
		t.Error("there after its time")
	}
}

// TestStepUp: what has been proved lapses by the clock, and what could be proved now is told.
func TestStepUp(t *testing.T) {
	t.Parallel()
	now := clock.NewManual(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	s := apptest.Start(t, apptest.Setup{Clock: now.Now})
	c := s.Browser()
	c.Register("Stella")
	var got struct {
		StepUp struct {
			Level      string
			FreshUntil time.Time
			Factors    []string
		}
	}
	const doc, sensitive = `{ stepUp { level freshUntil factors } }`, `{ myData }`
	c.Read(&got, doc, nil)
	if got.StepUp.Level != "FULL" || !got.StepUp.FreshUntil.Equal(now.Now().Add(5*time.Minute)) || len(got.StepUp.Factors) != 1 || got.StepUp.Factors[0] != "PASSWORD" {
		t.Errorf("stepUp = %+v", got.StepUp)
	}
	if code := c.Do(sensitive, nil).Code(); code != "" {
		t.Errorf("a sensitive field right after signing in: %s", code)
	}
	now.Advance(5*time.Minute + time.Millisecond)
	if code := c.Do(sensitive, nil).Code(); code != "REAUTH_REQUIRED" {
		t.Errorf("a sensitive field after five minutes: %q", code)
	}
	proveAgain(c)
	if code := c.Do(sensitive, nil).Code(); code != "" {
		t.Errorf("a sensitive field after a new proof: %s", code)
	}
}
