package ref

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	id := NewID()
	for _, tc := range []struct {
		in   string
		want Ref
		ok   bool
	}{
		{"user:" + id, New(User, id), true},
		{"role:admin", New(Role, "admin"), true},
		{"", Ref{}, false},
		{"user", Ref{}, false},
		{"user:", Ref{}, false},
		{":" + id, Ref{}, false},
		{"user:a:b", Ref{}, false},
		{"user:$ne", Ref{}, false},
		{"user:a\x00b", Ref{}, false},
		{"user:" + strings.Repeat("a", 200), Ref{}, false},
	} {
		got, err := Parse(tc.in)
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("Parse(%q) = %v, %v", tc.in, got, err)
		}
		if tc.ok && got.String() != tc.in {
			t.Errorf("String() = %q, want %q", got.String(), tc.in)
		}
	}
	if _, err := ParseAs(Plan, "user:"+id); !errors.Is(err, ErrID) {
		t.Errorf("an id of another type passed: %v", err)
	}
}

func TestIsKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"pro": true, "registry.documents": true, "a-b_c.9": true, strings.Repeat("a", 64): true,
		"": false, "a": false, "Pro": false, "a b": false, "a$b": false, "ä1": false, strings.Repeat("a", 65): false,
	} {
		if IsKey(key) != want {
			t.Errorf("IsKey(%q) = %v", key, !want)
		}
	}
}

func TestNewIDAscends(t *testing.T) {
	t.Parallel()
	last := ""
	for range 10_000 {
		id := NewID()
		if id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
}

func FuzzParse(f *testing.F) {
	f.Add("user:0190")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := Parse(s); err == nil && r.String() != s {
			t.Errorf("Parse(%q) prints as %q", s, r.String())
		}
	})
}
