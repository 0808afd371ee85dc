package graph

import (
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

func keyOf(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// The cache is bounded by bytes; what was used longest ago goes first.
func TestDocumentsForgetTheOldest(t *testing.T) {
	t.Parallel()
	c := newDocuments(100)
	a, b, d := &document{bytes: 40}, &document{bytes: 40}, &document{bytes: 40}
	c.put(keyOf("a"), a)
	c.put(keyOf("b"), b)
	if c.get(keyOf("a")) != a {
		t.Fatal("a is gone")
	}
	c.put(keyOf("d"), d)
	if c.get(keyOf("b")) != nil || c.get(keyOf("a")) != a || c.get(keyOf("d")) != d || c.bytes != 80 {
		t.Errorf("b was used longest ago; %d bytes are kept", c.bytes)
	}
	c.put(keyOf("d"), &document{bytes: 40}) // two requests parsed it at once
	if c.get(keyOf("d")) != d || c.bytes != 80 {
		t.Errorf("counted twice: %d", c.bytes)
	}
	c.put(keyOf("large"), &document{bytes: 101})
	if c.get(keyOf("large")) != nil || c.get(keyOf("a")) != a {
		t.Error("a document larger than the cache pushed out the rest")
	}
	c.put(keyOf("all"), &document{bytes: 100})
	if len(c.by) != 1 || c.order.Len() != 1 || c.bytes != 100 {
		t.Errorf("%d entries, %d bytes", len(c.by), c.bytes)
	}
}

func TestNoCache(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{DocCacheBytes: -1})
	for range 2 {
		if _, errs := s.document(t.Context(), plansQuery); len(errs) > 0 {
			t.Fatal(errs)
		}
	}
	if len(s.documents.by) != 0 {
		t.Error("kept")
	}
}

// Only documents that passed are kept, so a flood of bad ones pushes out none.
func TestOnlyGoodDocumentsAreKept(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	for _, bad := range []string{"{", "{ nope }", nested(16), "{ __schema { types { name } } }"} {
		if _, errs := s.document(t.Context(), bad); len(errs) == 0 {
			t.Errorf("%s passed", bad)
		}
	}
	if len(s.documents.by) != 0 {
		t.Errorf("%d bad documents are kept", len(s.documents.by))
	}
	first, _ := s.document(t.Context(), plansQuery)
	again, _ := s.document(t.Context(), plansQuery)
	if first == nil || first != again {
		t.Error("a good document was parsed twice")
	}
}

// The same document executed by many requests at once is shared and never written to: run with -race.
func TestDocumentsAreShared(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{plans: onePlan}, Config{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			g := r.query(`query ($s: Boolean!) { plans { key ...F } } fragment F on Plan { id @skip(if: $s) ... on Plan { name } }`, map[string]any{"s": i%2 == 0})
			if g.status != 200 || strings.Contains(string(g.Data), `"id"`) != (i%2 == 1) {
				t.Errorf("%s", g.body)
			}
		})
	}
	wg.Wait()
	if n := len(r.srv.documents.by); n != 1 {
		t.Errorf("%d documents", n)
	}
}

// What the cache believes a document takes is no less than what it takes, and not four times as much.
func TestDocumentBytesAreHonest(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	introspection, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	s := plainServer(t, Config{Introspection: true})
	for name, text := range map[string]string{
		"small":         plansQuery,
		"wide":          `{ documents(type: "movie", first: 50) { nodes { id rev label createdAt updatedAt owner { id name } references { path to } } } }`,
		"short fields":  "{ plans {" + strings.Repeat(" id key", 19) + " } }",
		"a list":        "{ nodes(ids: [" + strings.Repeat(`"",`, 1500) + "]) { id } }",
		"introspection": string(introspection),
		"arguments":     "query (" + repeat(200, " $v%d: CheckInput!") + ") { can(checks: [" + repeat(200, " $v%d") + "]) { allowed } }",
		"a literal":     `mutation { createDocument(input: {type: "t", data: {` + repeat(500, " a%d: 1") + `}}) { document { id } } }`,
	} {
		believed, errs := s.parse(t.Context(), text)
		if len(errs) > 0 {
			t.Fatalf("%s: %v", name, errs)
		}
		const n = 200
		keep := make([]*ast.QueryDocument, n)
		before := heap()
		for i := range keep {
			keep[i], err = parser.ParseQuery(&ast.Source{Input: strings.Clone(text)})
			if err != nil {
				t.Fatal(err)
			}
			if errs := s.validator.walk(keep[i], s.validator.rules); len(errs) > 0 {
				t.Fatal(errs)
			}
		}
		took := int(heap()-before) / n
		runtime.KeepAlive(keep)
		if ratio := float64(believed.bytes) / float64(took); ratio < 1 || ratio > 4 {
			t.Errorf("%s: believed %d, took %d: %s", name, believed.bytes, took, fmt.Sprintf("%.1f", ratio))
		}
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkPrepareWarm(b *testing.B) {
	s := plainServer(b, Config{})
	text := `query Q($id: ID!) { node(id: $id) { id ... on Document { label rev owner { name } } } }`
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := s.Prepare(b.Context(), rawParams(text, map[string]any{"id": "document:1"})); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}

func BenchmarkPrepareCold(b *testing.B) {
	s := plainServer(b, Config{DocCacheBytes: -1})
	text := `query Q($id: ID!) { node(id: $id) { id ... on Document { label rev owner { name } } } }`
	b.ReportAllocs()
	for b.Loop() {
		if _, errs := s.Prepare(b.Context(), rawParams(text, map[string]any{"id": "document:1"})); len(errs) > 0 {
			b.Fatal(errs)
		}
	}
}
