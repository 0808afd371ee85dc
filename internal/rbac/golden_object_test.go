package rbac

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func document(id string) ref.Ref { return ref.New(ref.Document, id) }

// library is documents that predicates can see; reads counts.
func (w *world) library(docs map[string]map[string]any) (reads *atomic.Int64) {
	reads = new(atomic.Int64)
	w.RegisterObject(ref.Document, func(_ context.Context, id string) (map[string]any, error) {
		reads.Add(1)
		if id == "broken" {
			return nil, errors.New("unreadable")
		}
		return docs[id], nil
	})
	return reads
}

func (w *world) on(user string, on ref.Ref, want Reason) {
	w.t.Helper()
	if d := w.Can(w.as(user), []Check{{Permission: permP, On: on}})[0]; d.Reason != want || d.Allowed != (want == Allowed) {
		w.t.Errorf("may %s on %s? %+v, want %s", user, on, d, want)
	}
}

func TestGolden28Predicates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reads := w.library(map[string]map[string]any{"mine": {"owner": "u"}, "theirs": {"owner": "v"}})
	w.give("u", w.role("rr", permP))
	w.on("u", document("theirs"), Allowed)
	if reads.Load() != 0 {
		t.Error("an object was read for a permission without predicates")
	}
	owner, err := w.SetPredicate(w.sys(), PredicateCmd{Permission: permP, Name: "owner", Expression: "object.owner == user.id"})
	w.must(err)
	w.on("u", document("mine"), Allowed)
	w.on("u", document("theirs"), Predicated)
	w.on("u", document("nowhere"), Predicated)
	w.on("u", document("broken"), Stale) // what cannot be read is no leave
	w.on("u", ref.Ref{}, Allowed)        // abstains: the closure decides
	w.on("v", document("theirs"), NoPath)
	if d := w.Can(w.as("u"), []Check{{Permission: permP, On: document("theirs")}})[0]; d.Predicate != "owner" {
		t.Errorf("%+v", d)
	}
	e, err := w.Explain(w.as("u"), "u", Check{Permission: permP})
	if err != nil || len(e.Predicates) != 1 || e.Predicates[0].Outcome != predicate.Abstain {
		t.Errorf("an abstaining one has disappeared: %+v, %v", e.Predicates, err)
	}
	e, err = w.Explain(w.as("u"), "u", Check{Permission: permP, On: document("theirs")})
	if err != nil || len(e.Path) != 1 || !slices.Equal(e.Missing, []string{"owner"}) || e.Predicates[0].Expression != "" {
		t.Errorf("%+v, %v", e, err)
	}
	e, err = w.Explain(w.sys(), "u", Check{Permission: permP, On: document("theirs")})
	if err != nil || !slices.Equal(e.Missing, []string{"owner: object.owner == user.id"}) {
		t.Errorf("to who reads roles: %+v, %v", e, err)
	}

	// Changed in place, told to other nodes, and taken away.
	b := w.node(w.db, fresh)
	again, err := w.SetPredicate(w.sys(), PredicateCmd{Permission: permP, Name: "owner", Expression: "object.owner != user.id"})
	if err != nil || again.ID != owner.ID {
		t.Errorf("%+v, %v", again, err)
	}
	w.on("u", document("theirs"), Allowed)
	if !b.step([]change{{kind: kindPredicateSet, Rev: w.Rev(), Predicate: &again}}) || b.snap.Load().predicates[w.cat.ids[permP]][0].Expression != again.Expression {
		t.Error("another node")
	}
	w.must(w.RemovePredicate(w.sys(), owner.ID))
	w.on("u", document("mine"), Allowed)
	if err := w.RemovePredicate(w.sys(), owner.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("twice: %v", err)
	}
	for name, tc := range map[string]struct {
		cmd PredicateCmd
		err error
	}{
		"unknown": {PredicateCmd{Permission: "no.such", Name: "xx", Expression: "true"}, ErrUnknownPermission}, "no name": {PredicateCmd{Permission: permP, Expression: "true"}, fault.ErrInput},
		"bad": {PredicateCmd{Permission: permP, Name: "xx", Expression: "object.a +"}, ErrExpression}, "a function": {PredicateCmd{Permission: permP, Name: "xx", Expression: "len(object.a) == 1"}, ErrExpression},
	} {
		if _, err := w.SetPredicate(w.sys(), tc.cmd); !errors.Is(err, tc.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.SetPredicate(w.as("u"), PredicateCmd{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
	for i := range MaxPredicates + 1 {
		_, err := w.SetPredicate(w.sys(), PredicateCmd{Permission: permQ, Name: fmt.Sprintf("p%d", i), Expression: "true"})
		if (i == MaxPredicates) != errors.Is(err, ErrPredicates) {
			t.Errorf("number %d: %v", i, err)
		}
	}
}

// Predicates in code come first, and one that another release stored and this one cannot read admits nothing.
func TestPredicatesOfCodeAndOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.library(map[string]map[string]any{"d": {"owner": "u"}})
	w.give("u", w.role("rr", permP, permQ))
	w.RegisterPredicate(permP, "owner-in-code", "only one's own", func(e predicate.Env) predicate.Filter { return predicate.Eq("owner", e.User) })
	w.on("u", document("d"), Allowed)
	w.on("u", document("nowhere"), Predicated)
	all, err := w.Predicates(w.sys())
	if err != nil || len(all) != 1 || all[0].Expression != "" || all[0].Name != "owner-in-code" {
		t.Errorf("%+v, %v", all, err)
	}
	storetest.Insert(t, w.db, "predicates", Predicate{ID: "x", Permission: permQ, Name: "new", Expression: "of a later language"})
	later := w.node(w.db, fresh)
	if d := later.Can(w.as("u"), []Check{{Permission: permQ}})[0]; d.Reason != Predicated {
		t.Errorf("%+v", d)
	}
}

func TestGolden30Scope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.Ensure(w.sys(), []RoleSpec{{Key: RoleAdmin, Name: "Administrator", Permissions: []Instance{Every}}}))
	admin, err := w.ByKey(w.sys(), RoleAdmin)
	w.must(err)
	w.give("root", admin)
	viewer := w.regional()
	w.hold(GrantCmd{Role: viewer.ID, Member: user("u"), Bind: "region=EU"})
	scope := func(user string, want predicate.Filter) {
		t.Helper()
		ctx, reads := store.WithCounter(w.as(user))
		got, err := w.Scope(ctx, reportView, ref.Document)
		if err != nil || got.String() != want.String() || reads.Total() != 0 {
			t.Errorf("%s: %s, %v; want %s", user, got, err, want)
		}
	}
	scope("u", predicate.Eq("region", "EU"))
	scope("root", predicate.All())
	scope("stranger", predicate.None())
	w.hold(GrantCmd{Role: viewer.ID, Member: user("u"), Bind: "region=US"})
	w.hold(GrantCmd{Role: viewer.ID, Member: user("u"), Bind: "region=FR", NotBefore: new(t0.Add(time.Hour))})
	_, err = w.GrantObject(w.sys(), ObjectGrantCmd{Subject: user("u"), Permission: reportView, On: document("d1")})
	w.must(err)
	scope("u", predicate.Or(predicate.Eq("region", "EU"), predicate.Eq("region", "US"), predicate.In("id", "d1")))
	_, err = w.SetPredicate(w.sys(), PredicateCmd{Permission: reportView, Name: "open", Expression: "object.open"})
	w.must(err)
	scope("u", predicate.And(predicate.Or(predicate.Eq("region", "EU"), predicate.Eq("region", "US"), predicate.In("id", "d1")), predicate.Eq("open", true)))
	scope("root", predicate.Eq("open", true))
	key := actor.With(t.Context(), actor.Actor{User: "u", Key: "k", Scope: actor.NewScope(permP)})
	if got, err := w.Scope(key, reportView, ref.Document); err != nil || !got.IsNone() {
		t.Errorf("out of scope: %s, %v", got, err)
	}
	if got, err := w.Scope(w.sys(), reportView, ref.Document); err != nil || !got.IsAll() {
		t.Errorf("the system: %s, %v", got, err)
	}

	// A list and single checks agree about every object.
	docs := map[string]map[string]any{}
	for i, region := range []string{"EU", "US", "FR", ""} {
		for j, open := range []any{true, false, nil} {
			docs[fmt.Sprintf("d%d", i*3+j)] = map[string]any{"region": region, "open": open}
		}
	}
	w.library(docs)
	f, err := w.Scope(w.as("u"), reportView, ref.Document)
	w.must(err)
	listed := 0
	for id, doc := range docs {
		seen := map[string]any{"id": id, "region": doc["region"], "open": doc["open"]}
		d := w.Can(w.as("u"), []Check{{Permission: reportView, On: document(id)}})[0]
		if d.Allowed != f.Match(seen) {
			t.Errorf("%s %v: listed %v, %+v", id, doc, f.Match(seen), d)
		}
		if d.Allowed {
			listed++
		}
	}
	if listed != 2 {
		t.Errorf("%d are listed", listed)
	}
}

func TestObjectGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d, other := document("d"), document("other")
	keeper, team, outer := w.role("keeper", PermObjectGrant, permP), w.role("team"), w.role("outer")
	w.give("k", keeper)
	w.give("m", outer)
	w.include(outer, team)
	grant := func(as string, subject ref.Ref, permission string, want error) ObjectGrant {
		t.Helper()
		o, err := w.GrantObject(w.as(as), ObjectGrantCmd{Subject: subject, Permission: permission, On: d, Reason: "because"})
		if !errors.Is(err, want) {
			t.Errorf("%s grants %s to %s: %v, want %v", as, permission, subject, err, want)
		}
		return o
	}
	ofU := grant("k", user("u"), permP, nil)
	w.on("u", d, Allowed)
	w.on("u", other, NoPath)
	w.on("u", ref.Ref{}, NoPath)
	if err := w.RequireSome(w.as("u"), permP); err != nil {
		t.Errorf("the gate: %v", err)
	}
	grant("k", team.Ref(), permP, nil)
	w.on("m", d, Allowed) // by two roles
	w.on("m", other, NoPath)
	e, err := w.Explain(w.sys(), "u", Check{Permission: permP, On: d})
	if err != nil || e.Object != ofU.ID || e.Path != nil || !e.Allowed {
		t.Errorf("%+v, %v", e, err)
	}
	if got, err := w.WhatCan(w.as("u"), "u", d); err != nil || !slices.Equal(got, []string{permP}) {
		t.Errorf("what can: %v, %v", got, err)
	}
	if got, err := w.WhoCan(w.sys(), Check{Permission: permP, On: d}, 10, ""); err != nil || !slices.Equal(got.Users, []string{"k", "m", "u"}) {
		t.Errorf("who can: %+v, %v", got, err)
	}
	grant("k", user("x"), permQ, ErrEscalation) // nobody gives what they lack
	grant("u", user("x"), permP, fault.ErrForbidden)
	grant("k", user("x"), "no.such", ErrUnknownPermission)
	grant("k", ref.New(ref.Document, "x"), permP, fault.ErrInput)
	grant("k", ref.New(ref.Role, "nowhere"), permP, fault.ErrNotFound)
	if again := grant("k", user("u"), permP, nil); again.ID != ofU.ID {
		t.Error("twice is two")
	}

	// Asked for, and answered.
	ask := ObjectGrantCmd{Permission: permP, On: d, Reason: "please"}
	asked, err := w.RequestObject(w.as("v"), ask)
	if err != nil || asked.Status != Requested {
		t.Fatalf("%+v, %v", asked, err)
	}
	w.on("v", d, NoPath)
	if again, err := w.RequestObject(w.as("v"), ask); err != nil || again.ID != asked.ID {
		t.Errorf("asked twice: %+v, %v", again, err)
	}
	if _, err := w.ApproveObject(w.as("v"), asked.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by themself: %v", err)
	}
	w.give("v", keeper)
	if _, err := w.ApproveObject(w.as("v"), asked.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by themself, who could grant it to others: %v", err)
	}
	list, err := w.ObjectGrants(w.as("k"), d)
	if err != nil || len(list) != 3 || list[2].Status != Requested || list[2].Reason != "please" {
		t.Errorf("%+v, %v", list, err)
	}
	if done, err := w.ApproveObject(w.as("k"), asked.ID); err != nil || done.Status != Approved || done.ApprovedBy != user("k") {
		t.Errorf("%+v, %v", done, err)
	}
	b := w.node(w.db, fresh)
	for _, s := range []*Service{w.Service, b} {
		if got, err := s.WhoCan(w.sys(), Check{Permission: permP, On: d}, 10, ""); err != nil || !slices.Contains(got.Users, "v") {
			t.Errorf("%+v, %v", got, err)
		}
	}

	// Taken back by whoever may, or by its subject.
	if err := w.RevokeObject(w.as("m"), ofU.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("by anybody: %v", err)
	}
	w.must(w.RevokeObject(w.as("u"), ofU.ID))
	w.on("u", d, NoPath)

	// It goes with the object.
	w.must(w.ForgetObject(t.Context(), other))
	w.must(w.ForgetObject(t.Context(), d, other))
	w.on("m", d, NoPath)
	if n := storetest.Count(t, w.db, "object_grants"); n != 0 {
		t.Errorf("%d are left", n)
	}
	if n := w.events(kindObjectRevoked); n != 3 {
		t.Errorf("%d events", n)
	}
}

func TestObjectGrantEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ends := t0.Add(time.Minute)
	_, err := w.GrantObject(w.sys(), ObjectGrantCmd{Subject: user("u"), Permission: permP, On: document("d"), ExpiresAt: &ends})
	w.must(err)
	w.on("u", document("d"), Allowed)
	w.clock.Advance(time.Minute)
	w.on("u", document("d"), NoPath)
	if f, err := w.Scope(w.as("u"), permP, ref.Document); err != nil || !f.IsNone() {
		t.Errorf("%s, %v", f, err)
	}
	for range maxRequests {
		_, err := w.RequestObject(w.as("v"), ObjectGrantCmd{Permission: permP, On: document(ref.NewID())})
		w.must(err)
	}
	if _, err := w.RequestObject(w.as("v"), ObjectGrantCmd{Permission: permP, On: document("one-more")}); !errors.Is(err, ErrObjectGrants) {
		t.Errorf("a request too many: %v", err)
	}
	w.must(w.ForgetUser(t.Context(), "v"))
	if n := storetest.Count(t, w.db, "object_grants", bson.D{{Key: "subject.id", Value: "v"}}); n != 0 {
		t.Errorf("%d requests of a user who is gone", n)
	}
}
