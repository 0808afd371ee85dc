package analytics

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

func (u Unit) field() string {
	if u == BySession {
		return "session"
	}
	return "actor"
}

// query matches the events of the branch.
func (b branch) query() bson.D {
	at := bson.D{{Key: "$lt", Value: b.to}}
	if !b.from.IsZero() {
		at = append(at, bson.E{Key: "$gte", Value: b.from})
	}
	return append(bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: b.names}}}, {Key: "at", Value: at}}, filters(b.where)...)
}

// filters are the conditions on dimensions.
func filters(where []DimFilter) bson.D {
	and := make(bson.A, len(where))
	for i, f := range where {
		op := "$in"
		if f.Not {
			op = "$nin" // also matches where the dimension is not there
		}
		and[i] = bson.D{{Key: "dims." + f.Dim, Value: bson.D{{Key: op, Value: f.In}}}}
	}
	if len(and) == 0 {
		return nil
	}
	return bson.D{{Key: "$and", Value: and}}
}

// pipeline reads what r asks for, at most budget+1 events. The limit comes before the sort: what a question costs the
// server is then bounded, whatever is asked.
func (r reading) pipeline(budget int) bson.A {
	or := make(bson.A, len(r.any))
	for i, b := range r.any {
		or[i] = b.query()
	}
	keys := bson.D{{Key: "u", Value: "$" + r.unit.field()}, {Key: "t", Value: "$at"}, {Key: "n", Value: "$name"}}
	for _, d := range r.dims {
		keys = append(keys, bson.E{Key: "d." + d, Value: "$dims." + d})
	}
	return bson.A{
		bson.D{{Key: "$match", Value: bson.D{{Key: "$or", Value: or}, {Key: r.unit.field(), Value: bson.D{{Key: "$gt", Value: r.after}}}}}},
		bson.D{{Key: "$limit", Value: budget + 1}},
		bson.D{{Key: "$project", Value: keys}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "u", Value: 1}, {Key: "t", Value: 1}, {Key: "_id", Value: 1}}}},
	}
}

// eachMoment reads the events that r asks for; see [Service.journey]. More than budget events read is an answer too.
func (m *mongoStore) eachMoment(ctx context.Context, r reading, budget int, fn func(moment) bool) (read int, err error) {
	err = store.Each(ctx, m.events, r.pipeline(budget), func(raw bson.Raw) (bool, error) {
		if read++; read > budget {
			return false, nil
		}
		v, err := readMoment(raw)
		return err == nil && fn(v), err
	}, options.Aggregate().SetAllowDiskUse(true).SetBatchSize(5000))
	return read, err
}

// readMoment decodes by hand what the pipeline projects: a journey reads millions of them.
func readMoment(raw bson.Raw) (v moment, err error) {
	all, err := raw.Elements()
	if err != nil {
		return v, fmt.Errorf("decode event: %w", err)
	}
	for _, e := range all {
		switch e.Key() {
		case "u":
			v.unit, _ = e.Value().StringValueOK()
		case "t":
			v.at, _ = e.Value().DateTimeOK()
		case "n":
			v.name, _ = e.Value().StringValueOK()
		case "d":
			doc, _ := e.Value().DocumentOK()
			dims, err := doc.Elements()
			if err != nil {
				return v, fmt.Errorf("decode dimensions: %w", err)
			}
			v.dims = make(map[string]string, len(dims))
			for _, d := range dims {
				v.dims[d.Key()], _ = d.Value().StringValueOK()
			}
		}
	}
	return v, nil
}

// names are the names of all stored events. Cost: 1 read, which jumps from name to name in the index.
func (m *mongoStore) names(ctx context.Context) ([]string, error) {
	var names []string
	err := m.events.Distinct(ctx, "name", bson.D{}).Decode(&names)
	return names, store.Wrap("names of events", err)
}
