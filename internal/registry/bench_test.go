package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
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
	b.ReportMetric(float64(single)/float64(batched), "x-cheaper")
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

// BenchmarkBacklinks measures a page of 20 of what leads to an object of 1,000,000 references beside one of 10,000.
func BenchmarkBacklinks(b *testing.B) {
	w := newWorld(b, Config{})
	few, many := ref.New("role", "few"), ref.New("role", "many")
	for to, n := range map[ref.Ref]int{few: 10_000, many: 1_000_000} {
		for at := 0; at < n; at += 10_000 {
			rows := make([]any, 10_000)
			for i := range rows {
				rows[i] = Reference{ID: ref.NewID(), From: doc(ref.NewID()), FromType: "t", Path: "/to", To: to, OnDelete: Keep}
			}
			storetest.Insert(b, w.db, "references", rows...)
		}
	}
	took := map[ref.Ref]time.Duration{}
	for b.Loop() {
		for range 50 {
			for _, to := range []ref.Ref{few, many} {
				start := time.Now()
				p, err := w.Backlinks(w.ctx, BacklinksCmd{To: to})
				if took[to] += time.Since(start); err != nil || len(p.Items) != page.DefaultSize {
					b.Fatal(len(p.Items), err)
				}
			}
		}
	}
	b.ReportMetric(float64(took[many])/float64(took[few]), "many-to-few-ratio")
}

// memoryFile is a table that waits to be imported.
type memoryFile []byte

func (f memoryFile) Put(context.Context, string, io.Reader) (int64, error) { return int64(len(f)), nil }

func (f memoryFile) Open(_ context.Context, _ string, offset int64) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f[offset:])), nil
}

func (memoryFile) Delete(context.Context, string) error { return nil }

// BenchmarkImport measures the import of 100,000 real flights, with their schema and two indexes, beside a bare InsertMany of the same
// documents in batches of the same size, which checks nothing.
func BenchmarkImport(b *testing.B) {
	table, err := os.ReadFile("../../web/node_modules/vega-datasets/data/flights-200k.json")
	if err != nil {
		b.Skip("npm ci in web/ brings the table: ", err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(table, &rows); err != nil {
		b.Fatal(err)
	}
	rows = rows[:100_000]
	var lines bytes.Buffer
	enc := json.NewEncoder(&lines)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			b.Fatal(err)
		}
	}
	var took, bare time.Duration
	for b.Loop() {
		j := &jobs{}
		w := newWorld(b, Config{Jobs: j.start, Files: memoryFile(lines.Bytes())})
		w.define("flight", object(m{
			"delay": m{"type": "number", "index": true}, "distance": m{"type": "number", "index": true}, "time": m{"type": "number"},
		}))
		if _, err := w.StartImport(w.system, ImportCmd{Type: "flight", Format: "NDJSON"}, nil); err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		p, _, err := w.run(func(ctx context.Context, p *Progress) (bool, error) { return w.ImportStep(ctx, j.started[0].args, p) })
		took += time.Since(start)
		if err != nil || p.Counts["made"] != int64(len(rows)) {
			b.Fatalf("%+v, %v", p, err)
		}
		docs, err := store.Find[bson.M](b.Context(), w.db.Collection("documents"), bson.D{})
		if err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		for part := range slices.Chunk(docs, importAtOnce) {
			if _, err := w.db.Collection("bare").InsertMany(b.Context(), part); err != nil {
				b.Fatal(err)
			}
		}
		bare += time.Since(start)
	}
	b.ReportMetric(float64(bare)/float64(took), "import-ratio")
	b.ReportMetric(float64(len(rows)*b.N)/took.Seconds(), "rows/s")
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
