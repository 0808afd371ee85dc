package registry

import (
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/backendbook/backendbook/internal/ref"
)

// errStored: a document is not what this package stores.
var errStored = errors.New("registry: not a document as it is stored")

// DecodeRaw implements [store.RawDecoder]. Lists are long and their documents are all alike: this takes a fourth of the
// time of the driver's decoding by reflection. What only the indexes need is not decoded; the data is as [plainData]
// gives it.
func (d *Document) DecodeRaw(raw bson.Raw) error {
	return eachElement(raw, func(key []byte, v bsoncore.Value) (ok bool) {
		switch string(key) {
		case "_id":
			d.ID, ok = v.StringValueOK()
		case "type":
			d.Type, ok = v.StringValueOK()
		case "v":
			d.Version, ok = intOf(v)
		case "rev":
			d.Rev, ok = intOf(v)
		case "label":
			d.Label, ok = v.StringValueOK()
		case "data":
			d.Data, ok = plainObject(v)
		case "owner":
			d.Owner, ok = refOf(v)
		case "by":
			d.By, ok = authorOf(v)
		case "op":
			var op string
			op, ok = v.StringValueOK()
			d.Op = Op(op)
		case "deleting":
			d.Deleting, ok = v.StringValueOK()
		case "lifted":
			d.Lifted, ok = v.BooleanOK()
		case "createdAt":
			d.CreatedAt, ok = timeOf(v)
		case "updatedAt":
			d.UpdatedAt, ok = timeOf(v)
		default:
			ok = true
		}
		return ok
	})
}

// eachElement reads the elements of a document while fn takes them.
func eachElement(raw []byte, fn func(key []byte, v bsoncore.Value) bool) error {
	length, rest, ok := bsoncore.ReadLength(raw)
	ok = ok && int(length) == len(raw) && len(rest) > 0 && rest[len(rest)-1] == 0
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			break
		}
		if key := e.KeyBytes(); !fn(key, e.Value()) {
			return fmt.Errorf("%w: %s", errStored, key)
		}
	}
	if !ok {
		return errStored
	}
	return nil
}

func intOf(v bsoncore.Value) (int, bool) {
	n, ok := v.AsInt64OK()
	return int(n), ok
}

func timeOf(v bsoncore.Value) (time.Time, bool) {
	t, ok := v.TimeOK()
	return t.UTC(), ok
}

func refOf(v bsoncore.Value) (r ref.Ref, ok bool) {
	doc, ok := v.DocumentOK()
	ok = ok && eachElement(doc, func(key []byte, v bsoncore.Value) (ok bool) {
		switch string(key) {
		case "type":
			r.Type, ok = v.StringValueOK()
		case "id":
			r.ID, ok = v.StringValueOK()
		}
		return ok
	}) == nil
	return r, ok
}

func authorOf(v bsoncore.Value) (a Author, ok bool) {
	doc, ok := v.DocumentOK()
	ok = ok && eachElement(doc, func(key []byte, v bsoncore.Value) (ok bool) {
		switch string(key) {
		case "user":
			a.User, ok = refOf(v)
		case "impersonator":
			a.Impersonator, ok = refOf(v)
		}
		return ok
	}) == nil
	return a, ok
}

func plainObject(v bsoncore.Value) (map[string]any, bool) {
	if v.Type == bsoncore.TypeNull {
		return nil, true
	}
	doc, ok := v.DocumentOK()
	if !ok {
		return nil, false
	}
	out := map[string]any{}
	err := eachElement(doc, func(key []byte, v bsoncore.Value) (ok bool) {
		out[string(key)], ok = plainValue(v)
		return ok
	})
	return out, err == nil
}

func plainValue(v bsoncore.Value) (any, bool) {
	switch v.Type { //nolint:exhaustive // no others are stored
	case bsoncore.TypeString:
		return v.StringValueOK()
	case bsoncore.TypeInt32, bsoncore.TypeInt64:
		return v.AsInt64OK()
	case bsoncore.TypeDouble:
		return v.DoubleOK()
	case bsoncore.TypeBoolean:
		return v.BooleanOK()
	case bsoncore.TypeNull:
		return nil, true
	case bsoncore.TypeEmbeddedDocument:
		return plainObject(v)
	case bsoncore.TypeArray:
		list, ok := v.ArrayOK()
		if !ok {
			return nil, false
		}
		out := []any{}
		err := eachElement(list, func(_ []byte, v bsoncore.Value) bool {
			one, ok := plainValue(v)
			out = append(out, one)
			return ok
		})
		return out, err == nil
	default:
		return nil, false
	}
}
