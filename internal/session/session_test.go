package session

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/token"
)

func TestLive(t *testing.T) {
	t.Parallel()
	s := Session{IdleUntil: t0.Add(time.Hour), ExpiresAt: t0.Add(2 * time.Hour)}
	over := s
	over.EndedAt = &t0
	late := Session{IdleUntil: t0.Add(3 * time.Hour), ExpiresAt: t0.Add(2 * time.Hour)}
	for _, tc := range []struct {
		name string
		s    Session
		at   time.Duration
		want bool
	}{
		{"new", s, 0, true},
		{"just before the idle end", s, time.Hour - 1, true},
		{"at the idle end", s, time.Hour, false},
		{"just before the absolute end", late, 2*time.Hour - 1, true},
		{"at the absolute end", late, 2 * time.Hour, false},
		{"ended", over, 0, false},
		{"ended, and the clock stands before it", over, -time.Minute, false},
		{"nothing", Session{}, 0, false},
	} {
		if got := tc.s.Live(t0.Add(tc.at)); got != tc.want {
			t.Errorf("%s: Live() = %v", tc.name, got)
		}
	}
}

func TestUsed(t *testing.T) {
	t.Parallel()
	const idle = time.Hour
	s := Session{ExpiresAt: t0.Add(100 * time.Minute)}.used(t0, idle)
	if s.LastSeenAt != t0 || s.IdleUntil != t0.Add(idle) {
		t.Fatalf("a new session: %+v", s)
	}
	later := s.used(t0.Add(30*time.Minute), idle)
	if later.LastSeenAt != t0.Add(30*time.Minute) || later.IdleUntil != t0.Add(90*time.Minute) {
		t.Errorf("use did not extend: %+v", later)
	}
	if again := later.used(t0.Add(10*time.Minute), idle); again != later {
		t.Errorf("an older use changed something: %+v", again)
	}
	if end := later.used(t0.Add(80*time.Minute), idle); end.IdleUntil != s.ExpiresAt || end.ExpiresAt != s.ExpiresAt {
		t.Errorf("use passed the absolute end: %+v", end)
	}
}

func TestElevated(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, proved, want string }{
		{"", "pwd", "pwd"},
		{"pwd", "pwd", "pwd"},
		{"pwd", "otp", "pwd otp"},
		{"pwd otp", "hwk pwd", "pwd otp hwk"},
		{"pwd", "", "pwd"},
		{"", " otp  otp ", "otp"},
	} {
		s := session1("s1")
		s.Methods, s.AuthAt = tc.before, t0
		want := s
		want.Methods, want.AuthAt = tc.want, t0.Add(time.Hour)
		if got := s.elevated(t0.Add(time.Hour), tc.proved, AnyProof); got != want {
			t.Errorf("%q and then %q: %+v", tc.before, tc.proved, got)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	session, d := token.New(sessionPrefix)
	if got, kind, ok := parse(session); !ok || kind != Interactive || got != d {
		t.Errorf("a session's token: %v, %v", kind, ok)
	}
	key, d := token.New(keyPrefix)
	if got, kind, ok := parse(key); !ok || kind != KindKey || got != d {
		t.Errorf("a key: %v, %v", kind, ok)
	}
	device, _ := token.New(devicePrefix)
	for name, s := range map[string]string{
		"empty":                      "",
		"a device's token":           device,
		"a token passed off as key":  keyPrefix + session[4:],
		"a key passed off as token":  sessionPrefix + key[4:],
		"no prefix":                  session[4:],
		"cut":                        key[:len(key)-1],
		"two":                        session + key,
		"the form without checksum":  "bbs_" + strings.Repeat("A", 43),
		"the hint of a key":          key[:hintLen],
		"an id":                      "0198c1a2-7d1e-7c3a-9f62-5f3c2b1a0d4e",
		"a megabyte":                 session + strings.Repeat("A", 1<<20),
		"an operator in place of it": `{"$ne": null}`,
	} {
		if _, _, ok := parse(s); ok {
			t.Errorf("%s: parse(%.60q) took it", name, s)
		}
	}
}

func FuzzParse(f *testing.F) {
	session, _ := token.New(sessionPrefix)
	key, _ := token.New(keyPrefix)
	for _, s := range []string{session, key, keyPrefix + session[4:], ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, kind, ok := parse(s)
		if want := map[Kind]string{Interactive: sessionPrefix, KindKey: keyPrefix}[kind]; ok && !strings.HasPrefix(s, want) {
			t.Errorf("parse(%q) takes it for the kind %q", s, kind)
		}
	})
}

func TestCleanAgent(t *testing.T) {
	t.Parallel()
	if got := cleanAgent("curl/8\xff.0"); got != "curl/8.0" {
		t.Errorf("cleanAgent() = %q", got)
	}
	if got := cleanAgent(strings.Repeat("é", 200)); len(got) > maxUserAgent || !utf8.ValidString(got) {
		t.Errorf("cleanAgent() = %d bytes", len(got))
	}
	if got := cleanAgent("a" + strings.Repeat("é", 200)); !utf8.ValidString(got) || len(got) != maxUserAgent-1 {
		t.Errorf("a character was cut in two: %d bytes", len(got))
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	if c.Idle != 14*24*time.Hour || c.Absolute != 30*24*time.Hour || c.TouchEvery != time.Minute || c.Fresh != 5*time.Minute || c.Recheck != 5*time.Second {
		t.Errorf("withDefaults() = %+v", c)
	}
	if c.Brief != 12*time.Hour || c.Access != 15*time.Minute || c.Overlap != 10*time.Second || c.Recheck > c.Overlap || c.Limit != nil {
		t.Errorf("withDefaults() = %v for the day, %v, %v", c.Brief, c.Access, c.Overlap)
	}
	if c := (Config{Absolute: time.Hour}).withDefaults(); c.Brief != time.Hour {
		t.Errorf("a session for the day lasts %v, all others an hour", c.Brief)
	}
	if c := (Config{Idle: time.Minute}).withDefaults(); c.TouchEvery != 30*time.Second {
		t.Errorf("a session in use would end: %+v", c)
	}
}
