package registry

import (
	"fmt"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/store"
)

// BenchmarkWrite measures the creation and the change of a document beside a bare InsertOne and UpdateOne of the same
// data with the same write concern, which check, remember and tell nothing. With a reference there is a target to hold, too.
func BenchmarkWrite(b *testing.B) {
	for _, pointed := range []bool{false, true} {
		b.Run(map[bool]string{false: "plain", true: "reference"}[pointed], func(b *testing.B) {
			w := newWorld(b, Config{})
			w.define("person", object(m{"name": m{"type": "string"}}))
			w.define("film", object(m{
				"title": m{"type": "string"}, "year": m{"type": "integer"}, "director": reference(SetNull, "person"),
			}))
			people := w.notes("person", 64)
			bare := w.db.Collection("bare")
			var insert, create, set, update time.Duration
			for i := 0; b.Loop(); i++ {
				data := m{"title": fmt.Sprint("film ", i), "year": int64(1900 + i%120)}
				if pointed {
					data["director"] = people[i%len(people)].String()
				}
				start := time.Now()
				d := w.create("film", data)
				create += time.Since(start)

				start = time.Now()
				if _, err := bare.InsertOne(b.Context(), d); err != nil {
					b.Fatal(err)
				}
				insert += time.Since(start)

				start = time.Now()
				if _, err := w.Update(w.ctx, UpdateCmd{On: d.Ref(), Rev: 1, Patch: m{"title": "another"}}); err != nil {
					b.Fatal(err)
				}
				update += time.Since(start)

				start = time.Now()
				changed := bson.D{{Key: "$set", Value: bson.D{{Key: "data.title", Value: "another"}, {Key: "rev", Value: 2}}}}
				if _, err := bare.UpdateOne(b.Context(), bson.D{store.Eq("_id", d.ID), store.Eq("rev", 1)}, changed); err != nil {
					b.Fatal(err)
				}
				set += time.Since(start)
			}
			b.ReportMetric(float64(insert)/float64(create), "create-ratio")
			b.ReportMetric(float64(set)/float64(update), "update-ratio")
			b.ReportMetric(float64(create.Microseconds())/float64(b.N), "µs/create")
			b.ReportMetric(float64(update.Microseconds())/float64(b.N), "µs/update")
		})
	}
}
