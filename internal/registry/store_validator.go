package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
)

// maxValidator bounds the validator of a collection: a document of MongoDB holds 16 MiB. Types beyond it are checked in Go alone.
const maxValidator = 8 << 20

// validators has MongoDB check documents by the schemas of all content types: what somebody writes past this server is refused
// there. A document of a version of a schema that is past, or of a type that MongoDB does not know yet, is taken as it is. Cost: one
// read, and a command for each collection whose validator changes.
func (s *Service) validators(ctx context.Context) error {
	if store.InTransaction(ctx) { // MongoDB allows no such command there: the next start does it
		return nil
	}
	rows, err := s.store.allTypes(ctx)
	if err != nil {
		return err
	}
	types := make([]ContentType, len(rows))
	for i, row := range rows {
		if types[i], err = row.contentType(); err != nil {
			return err
		}
	}
	want := map[string]bson.D{ref.Document: validatorOf(types)}
	for _, t := range nativeTypes {
		want[t.ID] = validatorOf([]ContentType{t.ContentType})
	}
	return s.store.setValidators(ctx, want)
}

// setValidators gives collections their validators; those that have them already are left alone.
func (m *mongoStore) setValidators(ctx context.Context, want map[string]bson.D) error {
	db := m.types.Database()
	specs, err := db.ListCollectionSpecifications(ctx, bson.D{})
	if err != nil {
		return fmt.Errorf("list collections: %w", store.Translate(err))
	}
	have := map[string]bson.Raw{}
	for _, spec := range specs {
		have[spec.Name], _ = spec.Options.Lookup("validator").DocumentOK()
	}
	for home, validator := range want {
		name := m.homes[home].Name()
		raw, err := bson.Marshal(validator)
		if err != nil {
			return fmt.Errorf("validator of %s: %w", name, err)
		}
		old, exists := have[name]
		if !exists || bytes.Equal(raw, old) {
			continue
		}
		err = db.RunCommand(ctx, bson.D{{Key: "collMod", Value: name}, {Key: "validator", Value: bson.Raw(raw)}}).Err()
		if err != nil {
			return fmt.Errorf("validator of %s: %w", name, store.Translate(err))
		}
	}
	return nil
}

// validatorOf is the query that the documents of a collection match. Each branch is for one version of one type, so the check of
// a document is that of its own schema.
func validatorOf(types []ContentType) bson.D {
	branches, known := bson.A{}, bson.A{}
	size := 0
	for _, t := range types {
		data := mongoSchema(t.Schema)
		raw, err := bson.Marshal(bson.D{{Key: "data", Value: data}})
		if size += len(raw); err != nil || size > maxValidator {
			continue
		}
		which := bson.D{store.Eq("type", t.ID), store.Eq("v", t.Version)}
		known = append(known, which)
		branches = append(branches, append(slices.Clone(which), bson.E{Key: "$jsonSchema", Value: bson.D{
			{Key: "properties", Value: bson.D{{Key: "data", Value: data}}},
		}}))
	}
	envelope := bson.E{Key: "$jsonSchema", Value: bson.D{
		{Key: "bsonType", Value: "object"},
		{Key: "required", Value: bson.A{"type", "v", "rev", "label", "data", "owner", "createdAt", "updatedAt"}},
		{Key: "properties", Value: bson.D{
			{Key: "_id", Value: bson.D{{Key: "bsonType", Value: "string"}}},
			{Key: "type", Value: bson.D{{Key: "bsonType", Value: "string"}}},
			{Key: "rev", Value: bson.D{{Key: "bsonType", Value: bson.A{"int", "long"}}, {Key: "minimum", Value: 1}}},
			{Key: "data", Value: bson.D{{Key: "bsonType", Value: "object"}}},
		}},
	}}
	if len(known) == 0 {
		return bson.D{envelope}
	}
	branches = append(branches, bson.D{{Key: "$nor", Value: known}})
	return bson.D{envelope, {Key: "$or", Value: branches}}
}

// plainPattern are regular expressions that mean the same to Go and to MongoDB.
var plainPattern = regexp.MustCompile(`^[\^$A-Za-z0-9 _#:;,/@+*?\[\]{}()|-]*$`)

// mongoSchema is what MongoDB's dialect of JSON Schema (draft 4) can say of a schema. Whatever the schema allows it allows too; what it
// cannot say it leaves out.
func mongoSchema(schema any) bson.D {
	if b, ok := schema.(bool); ok && !b {
		return bson.D{{Key: "not", Value: bson.D{}}}
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return bson.D{}
	}
	out := bson.D{} // not nil: that would be null
	add := func(key string, v any) { out = append(out, bson.E{Key: key, Value: v}) }
	if types := bsonTypes(s["type"]); types != nil {
		add("bsonType", types)
	}
	for _, key := range []string{"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"} {
		if n, ok := number(s[key]); ok {
			add(key, int64(n))
		}
	}
	for _, bound := range []string{"minimum", "maximum"} {
		exclusive := "exclusive" + string(bound[0]-'a'+'A') + bound[1:]
		if n, ok := number(s[exclusive]); ok {
			add(bound, n)
			add(exclusive, true)
		} else if n, ok := number(s[bound]); ok {
			add(bound, n)
		}
	}
	if unique, _ := s["uniqueItems"].(bool); unique {
		add("uniqueItems", true)
	}
	if p, _ := s["pattern"].(string); p != "" && plainPattern.MatchString(p) {
		add("pattern", p)
	}
	if v, has := s["const"]; has {
		add("enum", bson.A{stored(v)})
	} else if all, _ := s["enum"].([]any); len(all) > 0 {
		add("enum", distinctStored(all))
	}
	out = append(out, mongoObject(s)...)
	return append(out, mongoCombined(s)...)
}

// bsonTypes are the types of BSON that values of a type of JSON have.
func bsonTypes(v any) bson.A {
	names, _ := v.([]any)
	if name, ok := v.(string); ok {
		names = []any{name}
	}
	var all bson.A
	for _, name := range names {
		switch name {
		case "boolean":
			all = append(all, "bool")
		case "integer", "number":
			all = append(all, "int", "long", "double")
		default:
			all = append(all, name)
		}
	}
	return uniqueOf(all)
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func uniqueOf(all bson.A) bson.A {
	var out bson.A
	for _, v := range all {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// mongoObject is the keywords for what is inside.
func mongoObject(s map[string]any) bson.D {
	var out bson.D
	if all, _ := s["required"].([]any); len(all) > 0 {
		out = append(out, bson.E{Key: "required", Value: uniqueOf(all)})
	}
	properties, _ := s["properties"].(map[string]any)
	inner := bson.D{}
	for _, name := range sortedKeys(properties) {
		inner = append(inner, bson.E{Key: name, Value: mongoSchema(properties[name])})
	}
	if len(inner) > 0 {
		out = append(out, bson.E{Key: "properties", Value: inner})
	}
	_, patterns := s["patternProperties"]
	_, prefixed := s["prefixItems"]
	if more, has := s["additionalProperties"]; has && !patterns {
		if allowed, isBool := more.(bool); isBool {
			out = append(out, bson.E{Key: "additionalProperties", Value: allowed})
		} else {
			out = append(out, bson.E{Key: "additionalProperties", Value: mongoSchema(more)})
		}
	}
	if items, ok := s["items"].(map[string]any); ok && !prefixed {
		out = append(out, bson.E{Key: "items", Value: mongoSchema(items)})
	}
	return out
}

// mongoCombined is the keywords that combine schemas. What is left out of a part could make two parts of oneOf match, so
// that becomes anyOf, and not is left out.
func mongoCombined(s map[string]any) bson.D {
	var out bson.D
	for _, pair := range [][2]string{{"allOf", "allOf"}, {"anyOf", "anyOf"}, {"oneOf", "anyOf"}} {
		parts, _ := s[pair[0]].([]any)
		if len(parts) == 0 || pair[0] == "oneOf" && s["anyOf"] != nil {
			continue
		}
		all := make(bson.A, len(parts))
		for i, p := range parts {
			all[i] = mongoSchema(p)
		}
		out = append(out, bson.E{Key: pair[1], Value: all})
	}
	return out
}

func number(v any) (float64, bool) {
	n, ok := plainNumber(v)
	switch n := n.(type) {
	case int64:
		return float64(n), ok
	case float64:
		return n, ok
	default:
		return 0, false
	}
}

// stored is a value of a schema as values of data are stored.
func stored(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := plainNumber(v)
		return n
	case map[string]any:
		out := bson.D{}
		for _, k := range sortedKeys(v) {
			out = append(out, bson.E{Key: k, Value: stored(v[k])})
		}
		return out
	case []any:
		out := make(bson.A, len(v))
		for i, e := range v {
			out[i] = stored(e)
		}
		return out
	default:
		return v
	}
}

func distinctStored(all []any) bson.A {
	var out bson.A
	var seen [][]byte
	for _, v := range all {
		raw, err := bson.Marshal(bson.D{{Key: "v", Value: stored(v)}})
		if err != nil || slices.ContainsFunc(seen, func(s []byte) bool { return bytes.Equal(s, raw) }) {
			continue
		}
		seen, out = append(seen, raw), append(out, stored(v))
	}
	return out
}
