package analytics

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

const shop = "https://shop.example.org"

// newSource makes a source for events named page and order.
func (w world) newSource(t testing.TB, origins ...string) (EventSource, string) {
	t.Helper()
	e, key, err := w.CreateSource(actor.With(t.Context(), actor.Actor{User: "owner"}), SourceCmd{
		Name: new("Shop"), Events: []string{"page", "order"}, Origins: origins,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, key
}

// send streams lines with a key.
func (w world) send(t testing.TB, key, origin string, lines ...string) (Streamed, error) {
	t.Helper()
	return w.Stream(t.Context(), StreamCmd{Key: key, Origin: origin, Body: strings.NewReader(strings.Join(lines, "\n"))})
}

func TestSourceIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tc := range map[string]struct {
		cmd   SourceCmd
		field string
	}{
		"no name":               {SourceCmd{Name: new(" "), Events: []string{"x"}}, "input.name"},
		"no events":             {SourceCmd{Name: new("x")}, "input.events"},
		"odd event":             {SourceCmd{Name: new("x"), Events: []string{"a b"}}, "input.events"},
		"the server's own":      {SourceCmd{Name: new("x"), Events: []string{"product.x"}}, "input.events"},
		"origin with a path":    {SourceCmd{Name: new("x"), Events: []string{"x"}, Origins: []string{shop + "/"}}, "input.origins"},
		"origin that is a word": {SourceCmd{Name: new("x"), Events: []string{"x"}, Origins: []string{"null"}}, "input.origins"},
		"any origin":            {SourceCmd{Name: new("x"), Events: []string{"x"}, Origins: []string{"*"}}, "input.origins"},
		"origin of a user":      {SourceCmd{Name: new("x"), Events: []string{"x"}, Origins: []string{"https://a@b.example"}}, "input.origins"},
	} {
		_, _, err := w.CreateSource(t.Context(), tc.cmd)
		if f := fault.From(err); f.Kind != fault.Invalid || f.Field != tc.field {
			t.Errorf("%s: %v on %q, want %q", name, err, f.Field, tc.field)
		}
	}
	if n := storetest.Count(t, w.db, sourcesCollection); n != 0 {
		t.Errorf("%d sources", n)
	}
}

func TestAKeyStoresItsEventsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, key := w.newSource(t)
	got, err := w.send(t, key, "", `{"id":"event-01","name":"page"}`, `{"id":"event-02","name":"flight"}`, `{"id":"event-03","name":"order"}`)
	if err != nil || got.Accepted != 2 || got.Failed != 1 || fmt.Sprint(got.Errors[0].Line, got.Errors[0].Field) != "2name" {
		t.Errorf("Stream() = %+v, %v", got, err)
	}
	for id, ev := range w.stored(t) {
		if ev.Source != e.ID || ev.User != "" {
			t.Errorf("%s: source %q, user %q", id, ev.Source, ev.User)
		}
	}
	for name, bad := range map[string]string{"another": "bbi_" + strings.Repeat("A", 48), "cut": key[:20], "of another kind": strings.Replace(key, "bbi_", "bbk_", 1)} {
		if _, err := w.send(t, bad, ""); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want INGEST_KEY_INVALID", name, err)
		}
	}
}

func TestAKeyIsBoundToItsOrigins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, page := w.newSource(t, shop)
	_, program := w.newSource(t)
	for _, tc := range []struct {
		key, origin string
		want        error
	}{
		{page, shop, nil},
		{page, "https://evil.example", ErrOrigin},
		{page, "", ErrOrigin},
		{page, "null", ErrOrigin},
		{program, "", nil},
		{program, shop, ErrOrigin},
	} {
		_, err := w.send(t, tc.key, tc.origin, "")
		if !errors.Is(err, tc.want) {
			t.Errorf("from %q: %v, want %v", tc.origin, err, tc.want)
		}
		if got := w.AdmitsOrigin(t.Context(), tc.key, tc.origin); got != (tc.want == nil && tc.origin != "") {
			t.Errorf("AdmitsOrigin(%q) = %t", tc.origin, got)
		}
	}
}

func TestSourceLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e, first := w.newSource(t)
	if e.Hint != first[:8] || e.Owner != "owner" {
		t.Errorf("%+v", e)
	}
	raw, err := store.Find[bson.M](t.Context(), w.store.sources, bson.D{})
	if err != nil || strings.Contains(fmt.Sprint(raw), first[8:]) {
		t.Errorf("the key is in the database: %v, %v", raw, err)
	}
	if _, err := w.send(t, first, ""); err != nil {
		t.Error(err)
	}
	rotated, second, err := w.RotateSource(t.Context(), e.ID)
	if err != nil || second == first || rotated.Hint != second[:8] {
		t.Fatalf("RotateSource() = %+v, %v", rotated, err)
	}
	if _, err := w.send(t, first, ""); !errors.Is(err, ErrKey) {
		t.Errorf("the key before: %v", err)
	}
	if _, err := w.UpdateSource(t.Context(), e.ID, SourceCmd{Disabled: new(true)}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send(t, second, ""); !errors.Is(err, ErrKey) {
		t.Errorf("disabled: %v", err)
	}
	up, err := w.UpdateSource(t.Context(), e.ID, SourceCmd{Name: new("New"), Disabled: new(false), Origins: []string{shop}})
	if err != nil || up.Name != "New" || fmt.Sprint(up.Events, up.Origins) != "[order page] ["+shop+"]" {
		t.Errorf("UpdateSource() = %+v, %v; what is not said stays", up, err)
	}
	if _, err := w.send(t, second, shop); err != nil {
		t.Error(err)
	}
	all, err := w.EventSources(t.Context())
	if err != nil || len(all) != 1 || all[0].LastUsedAt == nil || !all[0].LastUsedAt.Equal(t0) {
		t.Errorf("EventSources() = %+v, %v", all, err)
	}
	if err := w.DeleteSource(t.Context(), e.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.send(t, second, shop); !errors.Is(err, ErrKey) {
		t.Errorf("deleted: %v", err)
	}
	if err := w.DeleteSource(t.Context(), e.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	for kind, n := range map[string]int{sourceCreated: 1, sourceRotated: 1, sourceUpdated: 2, sourceDeleted: 1} {
		if got := storetest.Count(t, w.db, "events", bson.D{{Key: "kind", Value: kind}, {Key: "on.type", Value: ref.EventSource}, {Key: "on.id", Value: e.ID}}); got != n {
			t.Errorf("%d facts %s, want %d", got, kind, n)
		}
	}
}

func TestSourcesNeedThePermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rights.only = []string{PermTrack}
	_, _, created := w.CreateSource(t.Context(), SourceCmd{})
	_, updated := w.UpdateSource(t.Context(), "x", SourceCmd{})
	_, _, rotated := w.RotateSource(t.Context(), "x")
	_, listed := w.EventSources(t.Context())
	for i, err := range []error{created, updated, rotated, listed, w.DeleteSource(t.Context(), "x")} {
		if !errors.Is(err, fault.ErrForbidden) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// The events of a key count for the plan of whoever made it, and its use is noted once a minute.
func TestAKeyCountsForItsOwner(t *testing.T) {
	t.Parallel()
	quota := &counter{limit: 1}
	w := worldOn(t, storetest.DB(t), Config{Quota: quota})
	e, key := w.newSource(t)
	if _, err := w.send(t, key, "", `{"id":"event-01","name":"page"}`); err != nil || quota.used != 1 || quota.of.ID != "owner" {
		t.Errorf("%v, %+v", err, quota)
	}
	w.clock.Advance(30 * time.Second)
	got, err := w.send(t, key, "", `{"id":"event-02","name":"page"}`)
	if !errors.Is(err, errQuota) || got.Line != 1 {
		t.Errorf("Stream() = %+v, %v", got, err)
	}
	now, err := w.store.source(t.Context(), e.ID)
	if err != nil || !now.LastUsedAt.Equal(t0) {
		t.Errorf("last used %v, %v", now.LastUsedAt, err)
	}
}
