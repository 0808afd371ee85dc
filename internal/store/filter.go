package store

import (
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/predicate"
)

// Column is where an attribute that filters know is kept.
type Column struct {
	Field  string // of the stored document, such as "owner.id"
	Scalar bool   // each document has one, and it is a string: an index can serve
	Date   bool   // it is a date, which filters compare as text: see [predicate.Moment]
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
	case predicate.OpEq, predicate.OpIn, predicate.OpHas, predicate.OpLt, predicate.OpLe, predicate.OpGt, predicate.OpGe:
		c, known := column(f.Path)
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
		return bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$isArray", Value: bson.A{value}}}, bson.D{{Key: "$in", Value: bson.A{literal, value}}}, false,
		}}}
	}
	same := any(bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$type", Value: value}}, "string"}}})
	if _, number := f.Value.(float64); number {
		same = bson.D{{Key: "$isNumber", Value: value}}
	} else if _, text := f.Value.(string); !text {
		return false
	}
	return bson.D{{Key: "$and", Value: bson.A{same, bson.D{{Key: operators[f.Op], Value: bson.A{value, literal}}}}}}
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
