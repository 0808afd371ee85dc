package throttle

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
)

func TestLimitCheck(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		l    Limit
		ok   bool
	}{
		{"usual", byUser, true},
		{"one at a time", Limit{"a", 1, time.Millisecond}, true},
		{"a year", Limit{"a", 366, 24 * time.Hour}, true},
		{"no name", Limit{"", 5, time.Second}, false},
		{"no burst", Limit{"a", 0, time.Second}, false},
		{"a burst below nothing", Limit{"a", -1, time.Second}, false},
		{"no pace", Limit{"a", 5, 0}, false},
		{"a pace the database cannot tell", Limit{"a", 5, time.Microsecond}, false},
		{"not whole milliseconds", Limit{"a", 5, time.Second + time.Microsecond}, false},
		{"backwards", Limit{"a", 5, -time.Second}, false},
		{"more than a year", Limit{"a", 367, 24 * time.Hour}, false},
		{"more than a duration holds", Limit{"a", 1 << 40, 1 << 40}, false},
	} {
		if err := tc.l.check(); (err == nil) != tc.ok {
			t.Errorf("%s: check() = %v", tc.name, err)
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		tat  time.Duration // from now
		want time.Duration
	}{
		{"full for long", -time.Hour, 0},
		{"full just now", 0, 0},
		{"one taken", 10 * time.Second, 0},
		{"one left", 40 * time.Second, 0},
		{"almost one left", 40*time.Second + time.Millisecond, time.Millisecond},
		{"none left", 50 * time.Second, 10 * time.Second},
		{"taken by a node whose clock is ahead", time.Hour, time.Hour - 40*time.Second},
	} {
		if got := byUser.wait(t0.Add(tc.tat), t0); got != tc.want {
			t.Errorf("%s: wait() = %v, want %v", tc.name, got, tc.want)
		}
	}
	if got := byUser.wait(time.Time{}, t0); got != 0 {
		t.Errorf("no document: wait() = %v", got)
	}
}

func TestRetryAfterIsWholeSeconds(t *testing.T) {
	t.Parallel()
	for wait, want := range map[time.Duration]int{
		time.Millisecond:        1,
		time.Second:             1,
		1001 * time.Millisecond: 2,
		10 * time.Second:        10,
		time.Hour:               3600,
	} {
		err := limited(wait)
		if got := err.Details["retryAfter"]; got != want || err.Kind != fault.Exhausted || err.Code != "RATE_LIMITED" {
			t.Errorf("limited(%v) = %v with %v, want %d", wait, err, got, want)
		}
	}
	if ErrLimited.Details != nil {
		t.Error("the sentinel itself has details")
	}
}

func TestBucketID(t *testing.T) {
	t.Parallel()
	seen := map[string]Bucket{}
	for _, b := range []Bucket{
		{Limit: Limit{Name: "a"}, Key: "b"},
		{Limit: Limit{Name: "ab"}, Key: ""},
		{Limit: Limit{Name: ""}, Key: "ab"},
		{Limit: Limit{Name: "b"}, Key: "a"},
		{Limit: Limit{Name: "a"}, Key: "B"},
		{Limit: Limit{Name: "a"}, Key: "b "},
		{Limit: Limit{Name: "a"}, Key: strings.Repeat("b", 1<<20)},
	} {
		id := b.id()
		if other, taken := seen[id]; taken || len(id) != 64 {
			t.Errorf("%v and %v are both %s", b, other, id)
		}
		seen[id] = b
	}
	one := Bucket{Limit: byUser, Key: "ada"}
	if one.id() != (Bucket{Limit: Limit{Name: byUser.Name, Burst: 9, Every: time.Hour}, Key: "ada", On: ref.New(ref.User, "u1")}).id() {
		t.Error("a limit that is tuned begins new buckets, though only its name should say which")
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.7":                   "192.0.2.7",
		"::ffff:192.0.2.7":            "192.0.2.7",
		"::ffff:c000:207":             "192.0.2.7",
		"0:0:0:0:0:ffff:192.0.2.7":    "192.0.2.7",
		"127.0.0.1":                   "127.0.0.1",
		"2001:db8:1:2:3:4:5:6":        "2001:db8:1:2::/64",
		"2001:db8:1:2::":              "2001:db8:1:2::/64",
		"2001:DB8:1:2:ffff::1":        "2001:db8:1:2::/64",
		"2001:db8:1:3::":              "2001:db8:1:3::/64",
		"fe80::1%eth0":                "fe80::/64",
		"fe80::2%eth1":                "fe80::/64",
		"::1":                         "::/64",
		"":                            "",
		"unknown":                     "",
		"192.0.2.7:443":               "",
		"[2001:db8::1]:443":           "",
		"[2001:db8::1]":               "",
		"192.0.2.7, 203.0.113.1":      "",
		" 192.0.2.7":                  "",
		"192.0.2":                     "",
		"192.0.2.07":                  "",
		"192.0.2.0/24":                "",
		"2001:db8::/32":               "",
		`{"$ne":null}`:                "",
		strings.Repeat("1", 1<<16):    "",
		"2001:db8:1:2:3:4:5:6:7":      "",
		"::ffff:192.0.2.7\x00":        "",
		"example.org":                 "",
		"2001:db8:1:2:3:4:5:6%":       "",
		"2001:db8:1:2:3:4:192.0.2.7":  "2001:db8:1:2::/64",
		"64:ff9b::192.0.2.7":          "64:ff9b::/64",
		"::192.0.2.7":                 "::/64",
		"2001:db8:1:2:3:4:5:6%a b\tc": "2001:db8:1:2::/64",
	} {
		if got := Network(in); got != want {
			t.Errorf("Network(%.60q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzNetwork(f *testing.F) {
	for _, s := range []string{"192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "fe80::1%eth0", "", "x", "1.2.3.4:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Network(s)
		addr, err := netip.ParseAddr(s)
		if (got == "") != (err != nil) {
			t.Fatalf("Network(%q) = %q, and it is an address: %v", s, got, err)
		}
		if got == "" {
			return
		}
		addr = addr.Unmap().WithZone("")
		if four, err := netip.ParseAddr(got); err == nil {
			if !four.Is4() || four != addr {
				t.Fatalf("Network(%q) = %q", s, got)
			}
			return
		}
		p, err := netip.ParsePrefix(got)
		if err != nil || p.Bits() != 64 || p != p.Masked() || !p.Contains(addr) || p.Addr().Is4() || strings.Contains(got, "%") {
			t.Fatalf("Network(%q) = %q, %v", s, got, err)
		}
	})
}

// Whatever the pace of attempts, no stretch of time lets more through than burst and pace allow, and who waits as told
// is let through.
func FuzzLimit(f *testing.F) {
	f.Add(5, int64(10_000), uint64(1))
	f.Add(1, int64(1), uint64(2))
	f.Add(100, int64(3_600_000), uint64(3))
	f.Fuzz(func(t *testing.T, burst int, everyMs int64, seed uint64) {
		l := Limit{Name: "f", Burst: burst, Every: time.Duration(everyMs) * time.Millisecond}
		if everyMs > 1<<40 || burst > 1000 || l.check() != nil {
			t.Skip()
		}
		r := rand.New(rand.NewPCG(seed, 1))
		var tat time.Time
		var passed []time.Time
		now := t0
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(everyMs*2/int64(min(burst, 3))+1)) * time.Millisecond)
			wait := l.wait(tat, now)
			if wait == 0 {
				tat = later(tat, now).Add(l.Every)
				passed = append(passed, now)
				continue
			}
			if l.wait(tat, now.Add(wait)) != 0 || l.wait(tat, now.Add(wait-time.Millisecond)) == 0 {
				t.Fatalf("%v from now is not when the next one passes", wait)
			}
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				if most := l.Burst + int(passed[j].Sub(passed[i])/l.Every); j-i+1 > most {
					t.Fatalf("%d passed in %v, of at most %d", j-i+1, passed[j].Sub(passed[i]), most)
				}
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
