package registry

import (
	"fmt"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
)

// BenchmarkResolve measures 200 references over 5 types against one read for each, in one run, and reports the ratio.
func BenchmarkResolve(b *testing.B) {
	w := newWorld(b, Config{})
	w.define("note", object(m{}))
	var refs []ref.Ref
	for _, typ := range []string{"user", "role", "plan", "metric"} {
		refs = append(refs, w.things(typ, 40)...)
	}
	refs = append(refs, w.notes("note", 40)...)
	var batched, single time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := w.Resolve(w.ctx, refs); err != nil {
			b.Fatal(err)
		}
		middle := time.Now()
		for _, r := range refs {
			if _, err := w.Resolve(w.ctx, []ref.Ref{r}); err != nil {
				b.Fatal(err)
			}
		}
		batched += middle.Sub(start)
		single += time.Since(middle)
	}
	b.ReportMetric(float64(single)/float64(batched), "N+1/batched")
	b.ReportMetric(float64(batched.Microseconds())/float64(b.N), "µs/batched")
}

// BenchmarkBulkCreate measures the import of 3,200 documents with two references each, as the demo makes them.
func BenchmarkBulkCreate(b *testing.B) {
	w := newWorld(b, Config{})
	w.define("person", object(m{"name": m{"type": "string"}}))
	w.define("movie", object(m{
		"title": m{"type": "string"}, "year": m{"type": "integer"}, "rating": m{"type": "number"},
		"director": reference(SetNull, "person"), "cast": m{"type": "array", "items": reference(Keep, "person")},
	}))
	people := w.notes("person", 300)
	items := make([]m, 3200)
	for i := range items {
		items[i] = m{
			"title": fmt.Sprint("movie ", i), "year": 1900 + i%120, "rating": float64(i%100) / 10, "genre": "drama",
			"director": people[i%len(people)].String(), "cast": a{people[(i+7)%len(people)].String()},
		}
	}
	for b.Loop() {
		if _, err := w.BulkCreate(w.system, "movie", items, ref.New(ref.System, ref.System)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(items)*b.N)/b.Elapsed().Seconds(), "documents/s")
}

// BenchmarkCheck measures what a document of ordinary size costs before the database is asked.
func BenchmarkCheck(b *testing.B) {
	c := mustCompile(b, wide(40))
	data := m{}
	for k := range c.schema.Properties {
		data[k] = ""
	}
	b.ReportAllocs()
	for b.Loop() {
		plain, err := plainData(data)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.validate(plain); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFilteredList is a page of a list whose caller sees it by a filter, beside the same page for one who sees all: by owner,
// which an index serves, and by a field of the data.
func BenchmarkFilteredList(b *testing.B) {
	w := newWorld(b, Config{})
	w.define("note", object(m{}))
	items := make([]m, 3000)
	for i := range items {
		items[i] = m{"open": i%10 > 0, "text": fmt.Sprint("note ", i)}
	}
	if _, err := w.BulkCreate(w.ctx, "note", items, ann); err != nil {
		b.Fatal(err)
	}
	scopes := map[string]predicate.Filter{
		"all": predicate.All(), "owner": predicate.Eq("owner", annID), "data": predicate.Eq("data.open", true),
	}
	took := map[string]time.Duration{}
	for b.Loop() {
		for range 20 {
			for _, name := range []string{"all", "owner", "data"} {
				w.rights.scope = new(scopes[name])
				start := time.Now()
				p, err := w.List(w.ctx, ListCmd{Type: "note", Page: page.Args{First: new(50)}})
				took[name] += time.Since(start)
				if err != nil || len(p.Items) != 50 {
					b.Fatal(len(p.Items), err)
				}
			}
		}
	}
	b.ReportMetric(float64(took["owner"])/float64(took["all"]), "by-owner-to-all-ratio")
	b.ReportMetric(float64(took["data"])/float64(took["all"]), "by-data-to-all-ratio")
}
