package registry

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/backendbook/backendbook/internal/ref"
)

// What is decoded by hand is what the driver decodes, but for the parts that only indexes need.
func TestDecodeRaw(t *testing.T) {
	t.Parallel()
	text := rapid.String()
	value := rapid.Deferred(func() *rapid.Generator[any] { return anything(3) })
	rapid.Check(t, func(t *rapid.T) {
		at := time.UnixMilli(rapid.Int64Range(-1<<40, 1<<42).Draw(t, "at")).UTC()
		want := Document{
			ID: text.Draw(t, "id"), Type: text.Draw(t, "type"), Version: rapid.IntRange(0, 1<<40).Draw(t, "v"), Rev: 3, Label: text.Draw(t, "label"),
			Data: rapid.MapOfN(key, value, 0, 6).Draw(t, "data"), Owner: ref.New(ref.User, text.Draw(t, "owner")),
			By: Author{User: ref.New(ref.User, "a"), Impersonator: ref.New(ref.User, text.Draw(t, "by"))}, Op: OpCreate,
			Deleting: text.Draw(t, "job"), Lifted: rapid.Bool().Draw(t, "lifted"), CreatedAt: at, UpdatedAt: at.Add(time.Hour),
		}
		stored := want
		stored.Index, stored.Words, stored.Prefix = map[string]any{"s1": "x"}, "words", "prefix"
		raw, err := bson.Marshal(stored)
		if err != nil {
			t.Skip(err)
		}
		var got, driver Document
		if err := got.DecodeRaw(raw); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("DecodeRaw() = %+v, %v\nwant %+v", got, err, want)
		}
		if err := bson.Unmarshal(raw, &driver); err != nil {
			t.Fatal(err)
		}
		if driver = driver.bare(); !reflect.DeepEqual(plainMap(driver.Data), got.Data) {
			t.Fatalf("the driver has the data %v, DecodeRaw %v", driver.Data, got.Data)
		}
		for n := range len(raw) { // whatever is cut off is an error, and no panic
			var cut Document
			if err := cut.DecodeRaw(raw[:n]); !errors.Is(err, errStored) {
				t.Fatalf("DecodeRaw() of the first %d of %d bytes: %v", n, len(raw), err)
			}
		}
	})
}

var key = rapid.StringMatching(`[a-z$.é]{1,8}`)

// anything is a value of a document's data.
func anything(depth int) *rapid.Generator[any] {
	some := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.String().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(),
		rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) }).AsAny(),
	}
	if depth > 0 {
		some = append(some, rapid.SliceOfN(anything(depth-1), 0, 4).AsAny(), rapid.MapOfN(key, anything(depth-1), 0, 4).AsAny())
	}
	return rapid.OneOf(some...)
}

func TestDecodeRawRefuses(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]bson.D{
		"id":     {{Key: "_id", Value: 1}},
		"time":   {{Key: "createdAt", Value: "now"}},
		"owner":  {{Key: "owner", Value: bson.D{{Key: "type", Value: 1}}}},
		"author": {{Key: "by", Value: bson.D{{Key: "user", Value: "u"}}}},
		"data":   {{Key: "data", Value: bson.D{{Key: "a", Value: bson.A{bson.NewObjectID()}}}}},
	} {
		raw, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		var d Document
		if err := d.DecodeRaw(raw); !errors.Is(err, errStored) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
