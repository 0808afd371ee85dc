package actor

import (
	"slices"
	"testing"
)

func TestScope(t *testing.T) {
	t.Parallel()
	var all *Scope
	if !all.Has("a.b.c") || all.List() != nil {
		t.Error("no scope limits something")
	}
	s := NewScope("b", "a")
	if !s.Has("a") || s.Has("c") || !slices.Equal(s.List(), []string{"a", "b"}) {
		t.Errorf("%v has a: %t, c: %t", s.List(), s.Has("a"), s.Has("c"))
	}
	if NewScope().Has("a") {
		t.Error("an empty scope allows something")
	}
}

func TestPersonAndKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		a          Actor
		person     bool
		credential string
	}{
		{Actor{}, false, ""},
		{Actor{User: "u", Session: "s"}, true, "s"},
		{Actor{User: "u", Key: "k", Scope: NewScope()}, false, "k"},
		{System(), false, ""},
	} {
		if tc.a.IsPerson() != tc.person || tc.a.Credential() != tc.credential {
			t.Errorf("%+v: person %t, credential %q", tc.a, tc.a.IsPerson(), tc.a.Credential())
		}
	}
}
