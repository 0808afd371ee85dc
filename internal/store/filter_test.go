package store_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// A filter selects the same documents in MongoDB as in memory, whatever their fields hold.
func TestWhereAgreesWithMatch(t *testing.T) {
	t.Parallel()
	db := storetest.DB(t)
	rnd := rand.New(rand.NewPCG(6, 6))
	at := time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC)
	values := []any{
		"x", "y", "$x", "", int32(1), int64(2), 2.5, true, false, nil,
		bson.A{"x", int32(1)},
		bson.A{nil},
		bson.A{bson.D{{Key: "b", Value: "x"}}},
		bson.A{},
		bson.D{{Key: "b", Value: "x"}},
		bson.D{{Key: "b", Value: int32(1)}},
		bson.D{},
	}
	scalars := []any{"x", "xy", "$x", "", "y\x00z", "ü", 1.0, 2.5, true, false, nil}
	lists := []any{bson.A{}, bson.A{"x"}, bson.A{"y", "x"}, bson.A{1.0, "xy"}, nil}
	type doc struct {
		ID   string
		Attr map[string]any
	}
	var docs []doc
	for i := range 120 {
		d := doc{ID: fmt.Sprintf("d%03d", i), Attr: map[string]any{"id": fmt.Sprintf("d%03d", i), "at": at.Add(time.Duration(i) * time.Hour)}}
		data := bson.D{}
		plain := map[string]any{}
		for _, name := range []string{"a", "c"} {
			if rnd.IntN(5) > 0 {
				v := values[rnd.IntN(len(values))]
				data = append(data, bson.E{Key: name, Value: v})
				plain[name] = unwrap(v)
			}
		}
		d.Attr["data"] = plain
		docs = append(docs, d)
		plainly := scalars[rnd.IntN(len(scalars))]
		many := lists[rnd.IntN(len(lists))]
		d.Attr["plain"], d.Attr["list"], d.Attr["made"] = plainly, unwrap(many), d.Attr["at"]
		storetest.Insert(t, db, "things", bson.D{
			{Key: "_id", Value: d.ID},
			{Key: "at", Value: d.Attr["at"]},
			{Key: "data", Value: data},
			{Key: "x", Value: bson.D{{Key: "k0", Value: plainly}, {Key: "k1", Value: many}}},
		})
	}
	column := func(path []string) (store.Column, bool) {
		switch path[0] {
		case "id":
			return store.Column{Field: "_id", Scalar: true}, true
		case "at":
			return store.Column{Field: "at", Date: true}, true
		case "made":
			return store.Column{Field: "at", Date: true, Plain: true}, true
		case "plain":
			return store.Column{Field: "x.k0", Plain: true}, true
		case "list":
			return store.Column{Field: "x.k1", List: true}, true
		}
		return store.Column{Field: strings.Join(path, ".")}, path[0] == "data"
	}
	selected := 0
	for range 400 {
		f := drawFilter(rnd, 2)
		found, err := store.Find[struct {
			ID string `bson:"_id"`
		}](t.Context(), db.Collection("things"), store.Where(f, column))
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		var got, want []string
		for _, d := range found {
			got = append(got, d.ID)
		}
		slices.Sort(got)
		for _, d := range docs {
			if f.Match(d.Attr) {
				want = append(want, d.ID)
			}
		}
		if selected += len(want); !slices.Equal(got, want) {
			t.Fatalf("%s selects %v, in memory %v", f, got, want)
		}
	}
	if selected < 1000 {
		t.Errorf("only %d were selected", selected)
	}
}

// unwrap is a stored value as the registry keeps it in memory.
func unwrap(v any) any {
	switch v := v.(type) {
	case bson.A:
		out := make([]any, len(v))
		for i := range v {
			out[i] = unwrap(v[i])
		}
		return out
	case bson.D:
		out := map[string]any{}
		for _, e := range v {
			out[e.Key] = unwrap(e.Value)
		}
		return out
	default:
		return v
	}
}

func drawFilter(rnd *rand.Rand, depth int) predicate.Filter {
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	if depth > 0 && rnd.IntN(2) == 0 {
		a, b := drawFilter(rnd, depth-1), drawFilter(rnd, depth-1)
		return []predicate.Filter{predicate.And(a, b), predicate.Or(a, b), predicate.Not(a), {Op: predicate.OpAnd, Sub: []predicate.Filter{a, b}}}[rnd.IntN(4)]
	}
	if rnd.IntN(3) == 0 {
		return drawComparison(rnd, pick("data.a", "data.c.b", "plain", "list", "made", "id", "nowhere"))
	}
	constant := pick(`'x'`, `'y'`, `'$x'`, `''`, "1", "2", "2.5", "true", "false", "nil", "now", "user.id")
	path := pick("object.data.a", "object.data.c", "object.data.a.b", "object.data.nope", "object.nowhere", "object.id", "object.at", "object.plain", "object.list", "object.made")
	source := pick(
		path+pick(" == ", " != ", " < ", " <= ", " > ", " >= ")+constant, path+" in ["+constant+", 'x']", constant+" in "+path, path, "object.at < now", "object.id in ['d001','d002']",
	)
	e, err := predicate.Compile(source)
	if err != nil {
		panic(source + ": " + err.Error())
	}
	return e.Filter(predicate.Env{User: "d003", Now: time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)})
}

// drawComparison makes what no expression can say.
func drawComparison(rnd *rand.Rand, path string) predicate.Filter {
	values := []any{"x", "y", "xy", "$x", "", "\x00", "ü", ".", 1, 2.5, true, nil, "2026-01-02T03:04:05.006Z", "2026-01-04T03:04:05.006Z", "d00"}
	value := func() any { return values[rnd.IntN(len(values))] }
	at := strings.Split(path, ".")
	ops := []predicate.Op{predicate.OpStarts, predicate.OpContains, predicate.OpHas, predicate.OpEq, predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe}
	if i := rnd.IntN(len(ops) + 2); i < len(ops) {
		return predicate.Compare(ops[i], at, value())
	}
	return predicate.CompareAny([]predicate.Op{predicate.OpIn, predicate.OpHasAny}[rnd.IntN(2)], at, []any{value(), value()})
}
