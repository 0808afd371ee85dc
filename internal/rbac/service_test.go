package rbac

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

func TestRequire(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.give("u", w.role("rr", permP))
	half := ref.Ref{Type: ref.User}
	for _, tc := range []struct {
		name   string
		actor  actor.Actor
		perm   string
		on     ref.Ref
		err    error
		reason Reason
	}{
		{"holds it", actor.Actor{User: "u"}, permP, ref.Ref{}, nil, Allowed},
		{"holds it, for an object", actor.Actor{User: "u"}, permP, ref.New(ref.Document, "d"), nil, Allowed},
		{"half an object", actor.Actor{User: "u"}, permP, half, fault.ErrForbidden, NoPath},
		{"holds another", actor.Actor{User: "u"}, permQ, ref.Ref{}, fault.ErrForbidden, NoPath},
		{"holds nothing", actor.Actor{User: "v"}, permP, ref.Ref{}, fault.ErrForbidden, NoPath},
		{"as somebody who holds it", actor.Actor{User: "u", Impersonator: "v"}, permP, ref.Ref{}, nil, Allowed},
		{"through somebody who holds nothing", actor.Actor{User: "v", Impersonator: "u"}, permP, ref.Ref{}, fault.ErrForbidden, NoPath},
		{"nobody", actor.Actor{}, permP, ref.Ref{}, fault.ErrUnauthenticated, Anonymous},
		{"the system", actor.System(), permQ, ref.Ref{}, nil, Allowed},
		{"unknown", actor.Actor{User: "u"}, "test.nothing", ref.Ref{}, ErrUnknownPermission, Unknown},
		{"unknown, nobody", actor.Actor{}, "test.nothing", ref.Ref{}, ErrUnknownPermission, Unknown},
		{"unknown, the system", actor.System(), "test.nothing", ref.Ref{}, ErrUnknownPermission, Unknown},
		{"the word for all", actor.Actor{User: "u"}, Every, ref.Ref{}, ErrUnknownPermission, Unknown},
	} {
		ctx := actor.With(t.Context(), tc.actor)
		if err := w.Require(ctx, tc.perm, tc.on); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.err)
		}
		if d := w.Can(ctx, []Check{{Permission: tc.perm, On: tc.on}})[0]; d.Allowed != (tc.reason == Allowed) || d.Reason != tc.reason {
			t.Errorf("%s: %+v, want %s", tc.name, d, tc.reason)
		}
		sc, err := w.Scope(ctx, tc.perm, ref.Document)
		if tc.on == half {
			continue
		}
		if (sc.Op == predicate.OpAll) != (tc.reason == Allowed) || (sc.Op == predicate.OpNone) == (tc.reason == Allowed) || (err != nil) != (tc.reason == Unknown) {
			t.Errorf("%s: scope %+v, %v", tc.name, sc, err)
		}
	}
	ctx, reads := store.WithCounter(w.as("u"))
	got := w.Can(ctx, []Check{{Permission: permQ}, {Permission: permP}, {Permission: "x"}})
	if !slices.Equal(got, []Decision{{Reason: NoPath, Rev: w.Rev()}, {Allowed: true, Reason: Allowed, Rev: w.Rev()}, {Reason: Unknown}}) || reads.Total() != 0 {
		t.Errorf("%+v after %d commands", got, reads.Total())
	}
	if err := w.Require(w.as("u"), permQ, ref.Ref{}); fault.From(err).Details["permission"] != permQ {
		t.Errorf("the refusal does not say what is missing: %v", err)
	}
}

// Each method that is for some only refuses the others first, and leaves no trace.
func TestWhoMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	g := w.give("u", r)
	stale := w.node(w.db, func() time.Duration { return time.Minute })
	rev := w.Rev()
	for name, call := range map[string]func(*Service, context.Context) error{
		"CreateRole": func(s *Service, ctx context.Context) error {
			_, err := s.CreateRole(ctx, CreateRoleCmd{Key: "!"})
			return err
		},
		"Grant": func(s *Service, ctx context.Context) error {
			_, err := s.Grant(ctx, GrantCmd{Role: "nowhere"})
			return err
		},
		"Revoke": func(s *Service, ctx context.Context) error { _, err := s.Revoke(ctx, g.ID, Restrict); return err },
		"List": func(s *Service, ctx context.Context) error {
			_, err := s.List(ctx, page.Args{First: new(0)})
			return err
		},
	} {
		if err := call(w.Service, t.Context()); !errors.Is(err, fault.ErrUnauthenticated) {
			t.Errorf("%s, nobody: %v", name, err)
		}
		if err := call(w.Service, w.as("u")); !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%s, anybody: %v", name, err)
		}
		if err := call(stale, w.as("u")); !errors.Is(err, ErrStale) {
			t.Errorf("%s, stale: %v", name, err)
		}
	}
	if err := w.Ensure(w.as("u"), nil); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Ensure: %v", err)
	}
	if _, err := w.Catalogue(t.Context()); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("Catalogue: %v", err)
	}
	w.must(w.Sync(t.Context()))
	if w.Rev() != rev {
		t.Errorf("rev %d, was %d", w.Rev(), rev)
	}
}

func TestReading(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reader, other := w.role("reader", PermRoleRead), w.role("other")
	g, own := w.give("u", reader), w.give("v", other)
	ids, grants := []string{reader.ID, other.ID, "nowhere"}, []string{g.ID, own.ID, "nowhere"}
	for _, tc := range []struct {
		name          string
		ctx           context.Context
		roles, grants int
		byKey         bool
	}{
		{"a reader", w.as("u"), 2, 2, true},
		{"the system", w.sys(), 2, 2, true},
		{"anybody sees what they hold themselves", w.as("v"), 1, 1, false},
		{"nobody", t.Context(), 0, 0, false},
	} {
		roles, err := w.ByIDs(tc.ctx, ids)
		w.must(err)
		all, err := w.GrantsByIDs(tc.ctx, grants)
		w.must(err)
		if len(roles) != tc.roles || len(all) != tc.grants {
			t.Errorf("%s: %d roles, %d grants", tc.name, len(roles), len(all))
		}
		if _, err := w.ByKey(tc.ctx, "other"); (err == nil) != tc.byKey {
			t.Errorf("%s: by key: %v", tc.name, err)
		}
	}
	ctx, reads := store.WithCounter(w.as("u"))
	if roles, err := w.ByIDs(ctx, ids); err != nil || roles[other.ID].Key != "other" || reads.Total() != 1 {
		t.Errorf("%v, %v, %d commands", roles, err, reads.Total())
	}
	p, err := w.List(w.as("u"), page.Args{First: new(1)})
	w.must(err)
	if len(p.Items) != 1 || p.Items[0].Key != "other" || !p.HasNext {
		t.Errorf("first page: %+v", p)
	}
	p, err = w.List(w.as("u"), page.Args{After: &p.Cursors[0]})
	w.must(err)
	if len(p.Items) != 1 || p.Items[0].Key != "reader" || p.HasNext {
		t.Errorf("second page: %+v", p)
	}
	if _, err := w.List(w.as("u"), page.Args{First: new(0)}); !errors.Is(err, page.ErrSize) {
		t.Errorf("no page: %v", err)
	}
	all, err := w.Catalogue(w.as("v"))
	w.must(err)
	if len(all) != len(testCatalogue()) || !slices.IsSortedFunc(all, func(a, b Permission) int { return strings.Compare(a.Key, b.Key) }) || all[0].Description == "" {
		t.Errorf("catalogue: %+v", all)
	}
	if got := w.Effective("nowhere"); got == nil || len(got) != 0 {
		t.Errorf("no such role: %v", got)
	}
	if got := w.Includes("nowhere"); got == nil || len(got) != 0 {
		t.Errorf("no such role: %v", got)
	}
	if got := w.PermissionsOf(w.sys()); len(got) != len(testCatalogue()) {
		t.Errorf("the system: %v", got)
	}
	if got := w.PermissionsOf(t.Context()); got == nil || len(got) != 0 {
		t.Errorf("nobody: %v", got)
	}
}
