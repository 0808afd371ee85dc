package webauth

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/session"
)

func TestParsePolicies(t *testing.T) {
	t.Parallel()
	got, err := ParsePolicies([]byte(`
roles:
  admin: {idle: 15m, absolute: 12h, brief: 2h, max: 3, beyond: refuse}
  member: {max: 10, beyond: end-oldest}
plans:
  free: {max: 5}
`))
	want := Policies{
		Roles: map[string]session.Policy{
			"admin":  {Idle: 15 * time.Minute, Absolute: 12 * time.Hour, Brief: 2 * time.Hour, Max: 3, Refuse: true},
			"member": {Max: 10},
		},
		Plans: map[string]session.Policy{"free": {Max: 5}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParsePolicies() = %+v, %v", got, err)
	}
	if empty, err := ParsePolicies(nil); err != nil || len(empty.Roles)+len(empty.Plans) != 0 {
		t.Errorf("of nothing: %+v, %v", empty, err)
	}
	for text, says := range map[string][]string{
		"roles: {admin: {idel: 15m}}": {"idel"},
		"roles: [admin]":              {"mapping is expected"},
		"roles: {admin: {idle: soon, max: -1}}\nplans: {free: {absolute: 1s}}": {"roles.admin: idle", "max must be 1", "plans.free: absolute"},
		"plans: {free: {beyond: refuse}}":                                      {"plans.free: beyond means nothing"},
		"plans: {free: {max: 1, beyond: maybe}}":                               {"beyond must be"},
		"roles: {'A b': {max: 1}}":                                             {"roles.A b: this can be no key"},
	} {
		_, err := ParsePolicies([]byte(text))
		for _, word := range says {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %q in it", text, err, word)
			}
		}
	}
}

func TestPoliciesOfRoles(t *testing.T) {
	t.Parallel()
	p := Policies{Roles: map[string]session.Policy{"admin": {Idle: time.Hour, Max: 3}, "member": {Idle: 2 * time.Hour, Brief: time.Hour}}}
	holds := func(held ...string) func(user, role string) bool {
		return func(_, role string) bool { return strings.Contains(strings.Join(held, " "), role) }
	}
	if got, want := p.OfRoles("ada", holds("admin", "member")), (session.Policy{Idle: time.Hour, Brief: time.Hour, Max: 3}); got != want {
		t.Errorf("of both: %+v", got)
	}
	if got := p.OfRoles("ada", holds()); got != (session.Policy{}) {
		t.Errorf("of none: %+v", got)
	}
}
