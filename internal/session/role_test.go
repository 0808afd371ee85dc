package session

import (
	"context"
	"errors"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
)

func TestSetRole(t *testing.T) {
	t.Parallel()
	n := setUp(t, Config{})
	s, token := n.warm(t, "ada")
	other := newNode(n.db, n.clock, Config{})
	other.mustResolve(t, token)
	var here, there []string
	n.OnRole(func(id string) { here = append(here, id) })
	other.OnRole(func(id string) { there = append(there, id) })
	role := func(word string) {
		t.Helper()
		if err := n.SetRole(in(t, s), word); err != nil {
			t.Fatal(err)
		}
		for _, e := range append(n.facts(t, "session.role.activated"), n.facts(t, "session.role.reset")...) {
			other.Follower().OnEvent(t.Context(), e, bson.Timestamp{})
		}
		for name, got := range map[string]Session{"here": n.mustResolve(t, token), "there": other.mustResolve(t, token)} {
			if got.Role != word {
				t.Errorf("%s: %q, want %q", name, got.Role, word)
			}
		}
	}
	role("r1(region=EU)")
	role("r1(region=EU)") // the same is no change
	if len(n.facts(t, "session.role.activated")) != 1 || !slices.Equal(here, []string{s.ID}) || len(there) == 0 {
		t.Errorf("told %v here, %v there", here, there)
	}
	role("")
	facts := n.facts(t, "session.role.reset")
	if len(facts) != 1 || facts[0].On != s.Ref() || data[about](t, facts[0]) != (about{User: "ada"}) || len(here) != 2 {
		t.Errorf("%+v, told %v", facts, here)
	}
	n.start(t, "ada")
	for name, tc := range map[string]struct {
		ctx context.Context
		err error
	}{
		"a key": {with(t, Key{ID: s.ID, User: s.User}), ErrKeyForbidden}, "nobody": {t.Context(), fault.ErrUnauthenticated}, "the system": {system(t), fault.ErrUnauthenticated},
		"an ended session": {in(t, Session{ID: "gone", User: "ada"}), ErrEnded},
	} {
		if err := n.SetRole(tc.ctx, "x"); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
