package store

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/predicate"
)

// Column is where an attribute that filters know is kept.
type Column struct {
	Field  string // of the stored document, such as "owner.id"
	Scalar bool   // each document has one, and it is a string: an index can serve
	Date   bool   // it is a date, which filters compare as text: see [predicate.Moment]
	Plain  bool   // it holds a text, a number, a boolean or a date, or null, and is never an array: an index can serve
	List   bool   // as Plain, but an array of those, or null
}

// Where is a filter as a query that selects exactly the documents whose attributes it matches. column tells where an
// attribute is kept; a path it does not know selects as if the attribute were missing.
func Where(f predicate.Filter, column func(path []string) (Column, bool)) bson.D {
	switch f.Op { //nolint:exhaustive // OpNone is the default, as is the zero Op
	case predicate.OpAll:
		return bson.D{}
	case predicate.OpAnd, predicate.OpOr, predicate.OpNot:
		parts := make(bson.A, len(f.Sub))
		for i, s := range f.Sub {
			parts[i] = Where(s, column)
		}
		word := map[predicate.Op]string{predicate.OpAnd: "$and", predicate.OpOr: "$or", predicate.OpNot: "$nor"}[f.Op]
		return bson.D{{Key: word, Value: parts}}
	case predicate.OpEq, predicate.OpIn, predicate.OpHas, predicate.OpHasAny, predicate.OpStarts, predicate.OpContains,
		predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe:
		c, known := column(f.Path)
		if query, ok := plain(f, c); known && ok {
			return query
		}
		switch {
		case !known:
			return truth(f.Match(nil))
		case c.Scalar && f.Op == predicate.OpEq:
			return bson.D{{Key: c.Field, Value: bson.D{{Key: "$eq", Value: f.Value}}}}
		case c.Scalar && f.Op == predicate.OpIn:
			return bson.D{{Key: c.Field, Value: bson.D{{Key: "$in", Value: f.Values}}}}
		default:
			return bson.D{{Key: "$expr", Value: compare(f, c)}}
		}
	default:
		return truth(false)
	}
}

// plain is a comparison with the operators of queries, which an index can serve; false when these would not select what
// [predicate.Filter.Match] does.
func plain(f predicate.Filter, c Column) (bson.D, bool) {
	is := func(op string, v any) (bson.D, bool) {
		return bson.D{{Key: c.Field, Value: bson.D{{Key: op, Value: v}}}}, true
	}
	if c.List {
		switch {
		case f.Op == predicate.OpHas && f.Value != nil:
			return is("$eq", f.Value)
		case f.Op == predicate.OpHasAny && !slices.Contains(f.Values, nil):
			return is("$in", f.Values)
		case f.Op == predicate.OpEq && f.Value == nil:
			// An array that holds null would match too, but it holds none: see Column.
			return is("$eq", nil)
		}
		return nil, false
	}
	if !c.Plain {
		return nil, false
	}
	if c.Date {
		if f, c.Plain = dated(f); !c.Plain {
			return nil, false
		}
	}
	switch f.Op { //nolint:exhaustive // the rest is compared by expressions
	case predicate.OpEq:
		return is("$eq", f.Value)
	case predicate.OpIn:
		return is("$in", f.Values)
	case predicate.OpStarts:
		// A regular expression of the server ends at a NUL.
		if part, ok := f.Value.(string); ok && !c.Date && !strings.Contains(part, "\x00") {
			return is("$regex", "^"+regexp.QuoteMeta(part))
		}
	case predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe:
		switch f.Value.(type) {
		case string, float64, time.Time:
			return is(operators[f.Op], f.Value)
		}
	}
	return nil, false
}

// dated is a comparison of texts as one of dates; false when a value is not the text of a date.
func dated(f predicate.Filter) (predicate.Filter, bool) {
	date := func(v any) (any, bool) {
		s, _ := v.(string)
		at, err := time.Parse(time.RFC3339, s)
		return at, err == nil && predicate.Moment(at) == s
	}
	if f.Op == predicate.OpIn {
		f.Values = slices.Clone(f.Values)
		for i, v := range f.Values {
			var ok bool
			if f.Values[i], ok = date(v); !ok {
				return f, false
			}
		}
		return f, true
	}
	at, ok := date(f.Value)
	f.Value = at
	return f, ok
}

// truth is the query of all documents, or of none.
func truth(all bool) bson.D {
	if all {
		return bson.D{}
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: bson.A{}}}}}
}

var operators = map[predicate.Op]string{
	predicate.OpLt: "$lt", predicate.OpLe: "$lte", predicate.OpGt: "$gt", predicate.OpGe: "$gte",
}

// compare is a comparison as an expression: unlike the operators of queries those of expressions do not look into arrays.
func compare(f predicate.Filter, c Column) any {
	value := at(c)
	literal := bson.D{{Key: "$literal", Value: f.Value}}
	switch f.Op { //nolint:exhaustive // the rest compares by order
	case predicate.OpEq:
		return bson.D{{Key: "$eq", Value: bson.A{value, literal}}}
	case predicate.OpIn:
		return bson.D{{Key: "$in", Value: bson.A{value, bson.D{{Key: "$literal", Value: f.Values}}}}}
	case predicate.OpHas:
		return onlyIf(bson.D{{Key: "$isArray", Value: bson.A{value}}}, bson.D{{Key: "$in", Value: bson.A{literal, value}}})
	case predicate.OpHasAny:
		some := make(bson.A, len(f.Values))
		for i, v := range f.Values {
			some[i] = bson.D{{Key: "$in", Value: bson.A{bson.D{{Key: "$literal", Value: v}}, value}}}
		}
		return onlyIf(bson.D{{Key: "$isArray", Value: bson.A{value}}}, bson.D{{Key: "$or", Value: some}})
	case predicate.OpStarts, predicate.OpContains:
		if _, text := f.Value.(string); !text {
			return false
		}
		at := bson.D{{Key: "$indexOfBytes", Value: bson.A{value, literal}}}
		found := bson.D{{Key: "$gte", Value: bson.A{at, 0}}}
		if f.Op == predicate.OpStarts {
			found = bson.D{{Key: "$eq", Value: bson.A{at, 0}}}
		}
		return onlyIf(bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: value}}, "string"}}}, found)
	}
	same := any(bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: value}}, "string"}}})
	if _, number := f.Value.(float64); number {
		same = bson.D{{Key: "$isNumber", Value: value}}
	} else if _, text := f.Value.(string); !text {
		return false
	}
	return bson.D{{Key: "$and", Value: bson.A{same, bson.D{{Key: operators[f.Op], Value: bson.A{value, literal}}}}}}
}

// onlyIf is then where the condition holds, and false elsewhere, where then would be an error.
func onlyIf(condition, then bson.D) bson.D {
	return bson.D{{Key: "$cond", Value: bson.A{condition, then, false}}}
}

// at is the value of a column, null when there is none. It steps through objects alone, never through arrays.
func at(c Column) any {
	head, rest, _ := strings.Cut(c.Field, ".")
	value := any("$" + head)
	for name := range strings.SplitSeq(rest, ".") {
		if name == "" {
			break
		}
		value = bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: value}}, "object"}}},
			bson.D{{Key: "$getField", Value: bson.D{{Key: "field", Value: bson.D{{Key: "$literal", Value: name}}}, {Key: "input", Value: value}}}},
			nil,
		}}}
	}
	if c.Date {
		value = bson.D{{Key: "$dateToString", Value: bson.D{{Key: "date", Value: value}, {Key: "format", Value: "%Y-%m-%dT%H:%M:%S.%LZ"}}}}
	}
	return bson.D{{Key: "$ifNull", Value: bson.A{value, nil}}}
}
