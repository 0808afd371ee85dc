package analytics

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

func TestSameForgivesOnlyTheOrderOfAdding(t *testing.T) {
	t.Parallel()
	base := cell{n: 3, c: 2, sum: 0.1 + 0.2, min: 0.1, max: 0.2}
	with := func(do func(*cell)) cell { c := base; do(&c); return c }
	for name, tc := range map[string]struct {
		a, b cell
		want bool
	}{
		"equal":               {base, base, true},
		"sum in other order":  {base, with(func(c *cell) { c.sum = 0.3 }), true},
		"another sum":         {base, with(func(c *cell) { c.sum = 0.3001 }), false},
		"another count":       {base, with(func(c *cell) { c.n = 4 }), false},
		"another measured":    {base, with(func(c *cell) { c.c = 3 }), false},
		"another least":       {base, with(func(c *cell) { c.min = math.Nextafter(0.1, 1) }), false},
		"another greatest":    {base, with(func(c *cell) { c.max = 0.3 }), false},
		"none measured":       {cell{n: 1}, cell{n: 1, min: 5}, true}, // least and greatest mean nothing
		"nothing":             {cell{}, cell{}, true},
		"large, far from off": {cell{n: 2, c: 2, sum: 2e15, min: 1e15, max: 1e15}, cell{n: 2, c: 2, sum: 2e15 + 0.25, min: 1e15, max: 1e15}, true},
		"large, off by a lot": {cell{n: 2, c: 2, sum: 2e15, min: 1e15, max: 1e15}, cell{n: 2, c: 2, sum: 2e15 + 1e9, min: 1e15, max: 1e15}, false},
	} {
		if got := same(tc.a, tc.b); got != tc.want {
			t.Errorf("%s: same(%+v, %+v) = %v", name, tc.a, tc.b, got)
		}
	}
}

// cells makes a cursor of rollups written as "minute key n", in order.
func cells(t *testing.T, rows string) *cellCursor {
	t.Helper()
	var docs []any
	for _, line := range strings.Fields(rows) {
		var minute int
		var n int64
		var key string
		if _, err := fmt.Sscanf(strings.ReplaceAll(line, "/", " "), "%d %s %d", &minute, &key, &n); err != nil {
			t.Fatal(err)
		}
		k := rollupKey{metric: "m", res: byMinute, dim: "d", at: int64(minute) * 60_000, key: key}
		docs = append(docs, rollupDoc{ID: k.id(), Cell: cellDoc{N: n}})
	}
	cur, err := mongo.NewCursorFromDocuments(docs, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &cellCursor{cur: cur}
}

func TestCompareWalksBothLists(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ a, b, want string }{
		{"", "", ""},
		{"1/a/1", "", "1a:1-0"},
		{"", "1/a/1 2/a/2", "1a:0-1 2a:0-2"},
		{"1/a/1 1/b/2", "1/a/1 1/b/3", "1a:1-1 1b:2-3"},
		{"1/a/1 3/a/3", "2/a/2 3/a/3", "1a:1-0 2a:0-2 3a:3-3"},
		{"1/b/1 2/a/1", "1/a/1 2/a/1 2/b/1", "1a:0-1 1b:1-0 2a:1-1 2b:0-1"},
		{"1/Z/1 1/a/1", "1/a/1", "1Z:1-0 1a:1-1"}, // by bytes, as the server sorts
	} {
		var got []string
		err := compare(t.Context(), t.Context(), cells(t, tc.a), cells(t, tc.b), func(k rollupKey, a, b cell) {
			got = append(got, fmt.Sprintf("%d%s:%d-%d", k.at/60_000, k.key, a.n, b.n))
		})
		if s := strings.Join(got, " "); err != nil || s != tc.want {
			t.Errorf("%q and %q: %q, %v; want %q", tc.a, tc.b, s, err, tc.want)
		}
	}
	unreadable, err := mongo.NewCursorFromDocuments([]any{bson.D{{Key: "_id", Value: "not a rollup"}}}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = compare(t.Context(), t.Context(), cells(t, "1/a/1"), &cellCursor{cur: unreadable}, func(rollupKey, cell, cell) {})
	if err == nil {
		t.Error("a list that cannot be read was compared")
	}
}

// Every way in which rollups can be wrong is seen, and told as it is.
func TestVerifyTellsWhatDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	stop := w.fold(t)
	w.track(t, flight("1", 0, "A", 5), flight("2", 0, "A", 7), flight("3", time.Minute, "B", 1))
	w.mustVerify(t)
	minute := t0.Truncate(time.Minute)
	total := rollupKey{metric: delays.Key, res: byMinute, at: minute.UnixMilli()}
	byA := rollupKey{metric: delays.Key, res: byMinute, dim: "origin", at: minute.UnixMilli(), key: "A"}
	for _, tc := range []struct {
		name         string
		spoil, mend  any
		of           rollupKey
		stored, want int64
	}{
		{"count", bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: -1}}}}, total, 3, 2},
		{"measured", bson.D{{Key: "$set", Value: bson.D{{Key: "c", Value: 1}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "c", Value: 2}}}}, total, 2, 2},
		{"sum", bson.D{{Key: "$set", Value: bson.D{{Key: "sum", Value: 12.5}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "sum", Value: 12.0}}}}, byA, 2, 2},
		{"min", bson.D{{Key: "$set", Value: bson.D{{Key: "min", Value: 4.0}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "min", Value: 5.0}}}}, byA, 2, 2},
		{"last", bson.D{{Key: "$set", Value: bson.D{{Key: "last.v", Value: 6.0}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "last.v", Value: 7.0}}}}, total, 2, 2},
		{"max", bson.D{{Key: "$unset", Value: bson.D{{Key: "max", Value: ""}}}}, bson.D{{Key: "$set", Value: bson.D{{Key: "max", Value: 7.0}}}}, total, 2, 2},
	} {
		change := func(by any) {
			if _, err := w.store.rollups.UpdateByID(t.Context(), tc.of.id(), by); err != nil {
				t.Fatal(err)
			}
		}
		change(tc.spoil)
		v, err := w.Verify(t.Context())
		if err != nil || v.Differing != 1 || len(v.Differences) != 1 {
			t.Fatalf("%s: Verify() = %+v, %v; want one difference", tc.name, v, err)
		}
		d := v.Differences[0]
		if d.Metric != delays.Key || d.Dim != tc.of.dim || d.Key != tc.of.key || !d.At.Equal(minute) || d.Stored != tc.stored || d.Counted != tc.want {
			t.Errorf("%s: %+v; want %d stored and %d counted in %+v", tc.name, d, tc.stored, tc.want, tc.of)
		}
		change(tc.mend)
		w.mustVerify(t)
	}
	stop()
}

func TestVerifyKeepsTheFirstDifferences(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.define(t, delays)
	w.fold(t)
	w.settle(t)
	docs := make([]any, maxDifferences+20)
	for i := range docs {
		docs[i] = rollupDoc{ID: rollupKey{metric: delays.Key, res: byMinute, at: t0.UnixMilli() + int64(i)*60_000}.id(), Cell: cellDoc{N: 1}}
	}
	if _, err := w.store.rollups.InsertMany(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	v, err := w.Verify(t.Context())
	if err != nil || v.Differing != int64(len(docs)) || len(v.Differences) != maxDifferences || v.Rollups != int64(len(docs)) {
		t.Errorf("Verify() = %d differ, %d kept, %v; want %d and %d", v.Differing, len(v.Differences), err, len(docs), maxDifferences)
	}
}
