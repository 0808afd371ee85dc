package analytics

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
	return slices.Concat(bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: b.names}}}}, during(b.from, b.to), filters(b.where))
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

// query matches what r asks for. All names and the whole range come first, for the index; what the branches ask beyond
// that is looked at in the events.
func (r reading) query() bson.D {
	or, names := make(bson.A, len(r.any)), []string{}
	from, to := r.any[0].from, r.any[0].to
	plain := true // the branches ask for nothing beyond
	for i, b := range r.any {
		or[i] = b.query()
		names = append(names, b.names...)
		plain = plain && len(b.where) == 0 && b.from.Equal(from) && b.to.Equal(to)
	}
	for _, b := range r.any[1:] {
		if b.from.Before(from) {
			from = b.from
		}
		if b.to.After(to) {
			to = b.to
		}
	}
	slices.Sort(names)
	q := append(branch{names: slices.Compact(names), from: from, to: to}.query(),
		bson.E{Key: r.unit.field(), Value: bson.D{{Key: "$gt", Value: r.after}}})
	if !plain {
		q = append(q, bson.E{Key: "$or", Value: or})
	}
	return q
}

// pipeline reads what r asks for, at most budget+1 events, by unit and time. Those of actors the server can give in the
// order of an index; those of sessions it has to sort, and what that costs is bounded by a limit before it.
func (r reading) pipeline(budget int) bson.A {
	keys := bson.D{{Key: "u", Value: "$" + r.unit.field()}, {Key: "t", Value: "$at"}, {Key: "n", Value: "$name"}}
	for _, d := range r.dims {
		keys = append(keys, bson.E{Key: "d." + d, Value: "$dims." + d})
	}
	limit := bson.D{{Key: "$limit", Value: budget + 1}}
	p := bson.A{bson.D{{Key: "$match", Value: r.query()}}}
	if r.unit == BySession {
		p = append(p, limit)
	}
	p = append(p, bson.D{{Key: "$sort", Value: bson.D{{Key: r.unit.field(), Value: 1}, {Key: "at", Value: 1}}}})
	if r.unit == ByActor {
		p = append(p, limit)
	}
	return append(p, bson.D{{Key: "$project", Value: keys}})
}

// eachMoment reads the events that r asks for; see [Service.journey]. More than budget events read is an answer too.
func (m *mongoStore) eachMoment(ctx context.Context, r reading, budget int, fn func(moment) bool) (read int, err error) {
	var same []moment // of one unit and one time
	more := true
	tell := func() {
		slices.SortFunc(same, func(a, b moment) int { return strings.Compare(a.id, b.id) })
		for i := 0; more && i < len(same); i++ {
			more = fn(same[i])
		}
		same = same[:0]
	}
	err = store.Each(ctx, m.events, r.pipeline(budget), func(raw bson.Raw) (bool, error) {
		if read++; read > budget {
			return false, nil
		}
		v, err := readMoment(raw)
		if err != nil {
			return false, err
		}
		if len(same) > 0 && (same[0].unit != v.unit || same[0].at != v.at) {
			tell()
		}
		same = append(same, v)
		return more, nil
	}, options.Aggregate().SetAllowDiskUse(true).SetBatchSize(5000))
	if err == nil && more && read <= budget {
		tell()
	}
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
		case "_id":
			v.id, _ = e.Value().StringValueOK()
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
