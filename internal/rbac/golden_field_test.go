package rbac

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestFieldRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	typ := ref.New(ref.ContentType, "t")
	hr, boss, outer := w.role("hr"), w.role("boss"), w.role("outer")
	w.give("u", hr)
	w.give("v", outer)
	w.include(outer, boss)
	w.give("editor", w.role("rules", PermFieldWrite))
	fields := func(ctx context.Context, hidden, frozen []string) {
		t.Helper()
		h, f, err := w.Fields(ctx, typ)
		if err != nil || !slices.Equal(h, hidden) || !slices.Equal(f, frozen) {
			t.Errorf("%v, %v, %v; want %v, %v", h, f, err, hidden, frozen)
		}
	}
	fields(w.as("x"), nil, nil)
	set := func(path string, readers, writers []string, want error) {
		t.Helper()
		if _, err := w.SetField(w.sys(), FieldCmd{On: typ, Path: path, Readers: readers, Writers: writers}); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	set("salary", []string{hr.ID, boss.ID}, []string{boss.ID}, nil)
	set("title", nil, []string{hr.ID}, nil)
	set("salary", []string{"nowhere"}, nil, fault.ErrNotFound)
	set("", nil, nil, fault.ErrInput)
	fields(w.as("x"), []string{"salary"}, []string{"salary", "title"})
	fields(w.as("u"), nil, []string{"salary"})
	fields(w.as("v"), nil, []string{"title"})
	fields(w.as("editor"), nil, nil)
	fields(w.sys(), nil, nil)
	fields(t.Context(), []string{"salary"}, []string{"salary", "title"})
	if h, _, err := w.Fields(w.as("x"), ref.Ref{}); err != nil || !slices.Equal(h, []string{"salary"}) {
		t.Errorf("of all types: %v, %v", h, err)
	}
	b := w.node(w.db, fresh)
	if all, err := b.FieldRules(w.sys(), typ); err != nil || len(all) != 2 || all[0].Path != "salary" || all[1].Readers != nil {
		t.Errorf("another node: %+v, %v", all, err)
	}
	_, err := w.DeleteRole(w.sys(), hr.ID, Cascade) // a rule that names a role that is gone is still a rule
	w.must(err)
	fields(w.as("u"), []string{"salary"}, []string{"salary", "title"})
	set("salary", nil, nil, nil)
	set("title", nil, nil, nil)
	fields(w.as("x"), nil, nil)
	if n := storetest.Count(t, w.db, "field_rules"); n != 0 {
		t.Errorf("%d are left", n)
	}
	if _, err := w.SetField(w.as("u"), FieldCmd{On: typ, Path: "x"}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
	for i := range MaxFields + 1 {
		_, err := w.SetField(w.sys(), FieldCmd{On: typ, Path: strconv.Itoa(i), Readers: []string{boss.ID}})
		if (i == MaxFields) != errors.Is(err, ErrFields) {
			t.Errorf("number %d: %v", i, err)
		}
	}
}

// The parts of a revision that has several come one after the other, and count together.
func TestPartsCountTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, ofU, _ := w.admins()
	b := w.node(w.db, fresh)
	f := b.Follower()
	gone, err := w.Revoke(w.sys(), ofU.ID, Cascade)
	w.must(err)
	events := make([]event.Event, 2)
	for _, id := range gone.Grants {
		p, err := w.Service.events.On(t.Context(), ref.New(ref.Grant, id), page.Args{})
		w.must(err)
		c, err := store.Decode[change](p.Items[0].Data)
		w.must(err)
		events[c.Part] = p.Items[0]
	}
	before := b.Rev()
	ctx, reads := store.WithCounter(t.Context())
	f.OnEvent(ctx, events[0], bson.Timestamp{})
	if b.Rev() != before {
		t.Error("half a revision is in force")
	}
	want(t, b, "v", permP, Allowed)
	f.OnEvent(ctx, events[1], bson.Timestamp{})
	want(t, b, "v", permP, NoPath)
	if b.Rev() != gone.Rev || reads.Total() != 0 {
		t.Errorf("rev %d, %d commands", b.Rev(), reads.Total())
	}
	f.OnEvent(ctx, events[1], bson.Timestamp{}) // the end of something it has not heard the beginning of
	if b.broken.Load() || reads.Total() == 0 {
		t.Error("it must read anew")
	}
}

func TestPermissionsChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("rr", permP)
	published := map[string]int{}
	w.Publish(func(topic string, _ any) { published[topic]++ })
	key, topics, newSource, allowed, err := w.PermissionsChannel(w.as("u"))
	if err != nil || len(topics) != 2 || allowed(t.Context()) != nil {
		t.Fatalf("%v, %v", topics, err)
	}
	s := newSource()
	w.must(s.Load(t.Context()))
	if got := s.Snapshot().(PermissionList); len(got.Permissions) != 0 {
		t.Errorf("%+v", got)
	}
	if s.Apply(rightsChanged{}) != nil || s.Apply("something else") != nil {
		t.Error("told of nothing")
	}
	g := w.give("u", r)
	if got, _ := s.Apply(rightsChanged{}).(PermissionList); !slices.Equal(got.Permissions, []string{permP}) || got.Rev != w.Rev() {
		t.Errorf("%+v", got)
	}
	w.take(g)
	if got, _ := s.Apply(rightsChanged{}).(PermissionList); len(got.Permissions) != 0 || got.Rev != w.Rev() {
		t.Errorf("%+v", got)
	}
	w.include(r, w.role("ss"))
	if published[topicOf("u")] != 2 || published[topicEverybody] != 2 {
		t.Errorf("%v", published)
	}
	w.give("u", r)
	if other, _, _, _, err := w.PermissionsChannel(w.acting("u", r)); err != nil || other == key {
		t.Errorf("with a role activated: %q, %v", other, err)
	}
	if _, _, _, _, err := w.PermissionsChannel(t.Context()); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("nobody: %v", err)
	}
}

func TestPolicyChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var news []PolicyNews
	w.Publish(func(topic string, change any) {
		if topic == topicPolicy {
			news = append(news, change.(PolicyNews))
		}
	})
	if _, _, _, _, err := w.PolicyChannel(w.as("u")); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("anybody: %v", err)
	}
	_, _, newSource, allowed, err := w.PolicyChannel(w.sys())
	if err != nil || allowed(w.sys()) != nil {
		t.Fatal(err)
	}
	_, ofU, _ := w.admins()
	s := newSource()
	w.must(s.Load(t.Context()))
	if got := s.Snapshot().(PolicyNews); got.Rev != w.Rev() || s.Apply(news[0]) != nil || s.Apply("something else") != nil {
		t.Errorf("%+v", got)
	}
	_, err = w.Revoke(w.sys(), ofU.ID, Cascade)
	w.must(err)
	got, _ := s.Apply(news[len(news)-1]).(PolicyNews)
	if got.Rev != w.Rev() || len(got.Changes) != 2 || got.Changes[0] != (PolicyChange{Kind: kindGrantRevoked, On: ofU.Ref()}) ||
		got.Changes[1].Kind != kindGrantCascaded || got.Changes[1].Cause != ofU.Ref().String() {
		t.Errorf("%+v", got)
	}
	w.broken.Store(true)
	w.must(w.Ready(t.Context())) // read anew: what changed is not known
	if last := news[len(news)-1]; last.Rev != w.Rev() || len(last.Changes) != 0 {
		t.Errorf("%+v", last)
	}
}
