package analytics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/store"
)

// erased runs an erasure to its end, each step in a transaction, and tells how many events it changed in each. Every
// transaction is first undone, as that of a process that dies.
func (w world) erased(t *testing.T, user string) (lots []int) {
	t.Helper()
	var e Erasure
	for finished := false; !finished; {
		before, dead := e, errors.New("dead")
		if err := w.db.InTx(t.Context(), func(ctx context.Context) error {
			_, _, err := w.EraseStep(ctx, user, &e)
			return errors.Join(dead, err)
		}); !errors.Is(err, dead) {
			t.Fatal(err)
		}
		err := w.db.InTx(t.Context(), func(ctx context.Context) (err error) {
			e = before
			var n int
			n, finished, err = w.EraseStep(ctx, user, &e)
			if err == nil && !finished {
				lots = append(lots, n)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lots
}

// TestErase: an actor stays one actor with its sessions, and nobody can tell whose; rollups stay and equal a recount.
func TestErase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fold(t)
	const gone, other = "user-gone-1", "user-other-1"
	for _, unique := range []string{UniqueActor, UniqueSession, UniqueUser} {
		w.define(t, Metric{Key: "by." + unique, Event: "visit", Unique: unique})
	}
	counted := w.define(t, Metric{Key: "visits", Event: "visit", Dimensions: []string{"page"}})
	elsewhere := w.define(t, Metric{Key: "orders", Event: "order", Unique: UniqueActor})
	visit := func(id int, whom, session string) EventCmd {
		return EventCmd{ID: fmt.Sprintf("visit-%05d", id), Name: "visit", At: &t0, Actor: whom, Session: session, Dims: map[string]any{"page": "/"}}
	}
	for n := range 2 {
		var batch []EventCmd
		for i := range 800 {
			batch = append(batch, visit(n*800+i, gone, fmt.Sprintf("session-%d", i%3)))
		}
		w.track(t, batch...)
	}
	w.track(t, visit(9000, other, "session-9"), EventCmd{ID: "order-001", Name: "order", At: &t0, Actor: other})
	by := actor.With(t.Context(), actor.Actor{User: gone})
	if _, err := w.Track(by, []EventCmd{visit(9001, other, "session-9"), visit(9002, "", "session-0")}); err != nil {
		t.Fatal(err)
	}
	w.settle(t)
	ask := func(key string, agg Aggregate) string {
		t.Helper()
		w.settle(t)
		r, err := w.Report(t.Context(), Query{Metric: key, Aggregate: agg, Step: Day, From: t0.Truncate(24 * time.Hour), To: t0.Truncate(24*time.Hour).AddDate(0, 0, 1)})
		if err != nil || len(r.Totals) != 1 {
			t.Fatalf("Report(%s) = %+v, %v", key, r, err)
		}
		return fmt.Sprintf("%.0f/%d", *r.Totals[0].Value, r.Totals[0].Count)
	}
	before := []string{ask("by.actor", Unique), ask("by.session", Unique), ask("by.user", Unique), ask("visits", Count)}

	w.rights.only = []string{PermTrack}
	if _, _, err := w.EraseStep(by, gone, &Erasure{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("without the right: %v", err)
	}
	w.rights.only = nil
	if lots := w.erased(t, gone); fmt.Sprint(lots) != "[1000 602]" {
		t.Errorf("changed %v", lots)
	}
	if lots := w.erased(t, gone); lots != nil {
		t.Errorf("changed again: %v", lots)
	}
	actors, senders, sessions := map[string]int{}, map[string]int{}, map[string]map[string]int{}
	err := w.store.eachEvent(t.Context(), "visit", t0, t0.AddDate(0, 0, 1), nil, func(e Event) error {
		actors[e.Actor]++
		senders[e.User]++
		if sessions[e.Actor] == nil {
			sessions[e.Actor] = map[string]int{}
		}
		sessions[e.Actor][e.Session]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range actors {
		if strings.HasPrefix(name, "erased-") && n == 1600 && len(sessions[name]) == 3 && isID(name) {
			for s := range sessions[name] {
				if !strings.HasPrefix(s, "erased-") || sessions[""][s] != 0 && sessions[""][s] != 1 {
					t.Errorf("a session is %s", s)
				}
			}
			continue
		}
		if name != other && name != "" {
			t.Errorf("actor %q has %d events", name, n)
		}
	}
	if len(actors) != 3 || len(senders) != 2 || senders[gone] != 0 || actors[other] != 2 || sessions[other]["session-9"] != 2 || sessions[""]["session-0"] != 0 {
		t.Errorf("actors %v, senders %v, sessions %v", actors, senders, sessions)
	}
	if after := []string{ask("by.actor", Unique), ask("by.session", Unique), ask("by.user", Unique), ask("visits", Count)}; fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("reports said %v, and say %v", before, after)
	}
	w.mustVerify(t)
	for _, m := range []Metric{counted, elsewhere} { // nothing of theirs is counted anew
		if now, err := store.FindByID[Metric](t.Context(), w.store.metrics, m.Key); err != nil || now.Version != m.Version {
			t.Errorf("%s: %+v, %v", m.Key, now, err)
		}
	}
}
