package session

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
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
	if c.Idle != 14*24*time.Hour || c.Absolute != 30*24*time.Hour || c.TouchEvery != time.Minute || c.Recheck != 5*time.Second {
		t.Errorf("withDefaults() = %+v", c)
	}
	if c := (Config{Idle: time.Minute}).withDefaults(); c.TouchEvery != 30*time.Second {
		t.Errorf("a session in use would end: %+v", c)
	}
}
