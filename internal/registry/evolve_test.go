package registry

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// What steps lose is counted beforehand, and by the job that does it.
func TestDropped(t *testing.T) {
	t.Parallel()
	j := &jobs{}
	w := newWorld(t, Config{Jobs: j.start})
	typ := w.define("film", object(m{}))
	data := map[string]m{
		"number":   {"year": "1999"},
		"spaces":   {"year": " 2001 "},
		"whole":    {"year": 2002.0},
		"word":     {"year": "soon"},
		"fraction": {"year": 1999.5},
		"list":     {"year": a{1999}, "name": "list"},
		"null":     {"year": nil},
		"absent":   {"name": "absent"},
		"both":     {"year": "?", "name": "new", "title": "old"},
		"same":     {"title": "old"},
	}
	docs := map[string]Document{}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		docs[name] = w.create("film", data[name])
	}
	schema := object(m{"year": m{"type": "integer"}, "title": m{"type": "string", "maxLength": 5}})
	cmd := EvolveCmd{Type: "film", Version: 1, Schema: schema, DryRun: true, Force: true, Steps: []Step{
		{Op: StepConvert, Field: "year", To: "INTEGER"}, {Op: StepRename, Field: "name", To: "title"},
	}}
	lose := func(d Document, pointer, why string) string { return d.Ref().String() + " " + pointer + " " + why }
	want := []string{
		lose(docs["both"], "/title", "another field becomes this one: its value goes"),
		lose(docs["both"], "/year", "it cannot become INTEGER: the value goes"),
		lose(docs["fraction"], "/year", "it cannot become INTEGER: the value goes"),
		lose(docs["list"], "/year", "it cannot become INTEGER: the value goes"),
		lose(docs["word"], "/year", "it cannot become INTEGER: the value goes"),
	}
	_, check, err := w.Evolve(w.system, cmd)
	if err != nil || check.Total != 10 || check.Invalid != 1 || check.Dropped != 5 {
		t.Fatalf("the dry run: %+v, %v", check, err)
	}
	got := make([]string, len(check.Losses))
	for i, l := range check.Losses {
		got[i] = lose(Document{ID: l.Document.ID, Type: typ.ID}, l.Pointer, l.Message)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the losses are\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	cmd.DryRun = false
	if _, check, err := w.Evolve(w.system, cmd); err != nil || check.Dropped != 5 {
		t.Errorf("%+v, %v", check, err)
	}
	// The next version: what the one before has lost is not lost again, though no document is written yet.
	next := EvolveCmd{
		Type: "film", Version: 2, Schema: object(m{"year": m{"type": "boolean"}, "title": m{"type": "string", "maxLength": 5}}), Force: true,
		Steps: []Step{{Op: StepConvert, Field: "year", To: "BOOLEAN"}},
	}
	if _, check, err := w.Evolve(w.system, next); err != nil || check.Total != 10 || check.Dropped != 3 {
		t.Errorf("the next: %+v, %v", check, err)
	}
	p, _, err := w.run(func(ctx context.Context, p *Progress) (bool, error) { return w.MigrateStep(ctx, typ.Ref(), p) })
	// "absent" is too long for a title: it stays, and so it loses nothing.
	if counts := map[string]int64{"invalid": 1, "dropped": 8}; err != nil || p.Done != 10 || !reflect.DeepEqual(p.Counts, counts) {
		t.Errorf("the job: %+v, %v", p, err)
	}
	for name, kept := range map[string]m{
		"number": {}, "word": {}, "null": {}, "both": {"title": "new"}, "list": {"title": "list"}, "same": {"title": "old"},
	} {
		found, err := w.store.documentsByID(w.system, ref.Document, predicate.All(), []string{docs[name].ID})
		if d := found[docs[name].ID]; err != nil || d.Version != 3 || !reflect.DeepEqual(d.Data, kept) {
			t.Errorf("%s is stored as %+v, %v", name, d, err)
		}
	}
}
