package analytics

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/backendbook/backendbook/internal/store"
)

// BenchmarkTrack compares track at 1,000 events a batch with a bare InsertMany of the same documents into a collection
// with the same index, in turns, and prints how many events it stores for each of the bare insert: the goal is 0.7.
func BenchmarkTrack(b *testing.B) {
	w := newWorld(b)
	w.define(b, delays)
	bare := w.db.Collection("bare")
	if _, err := w.db.Migrate(b.Context(), store.Plan{Collections: []store.Collection{
		{Name: "bare", Indexes: Collections()[0].Indexes},
	}}, false); err != nil {
		b.Fatal(err)
	}
	var ours, theirs time.Duration
	for i := 0; b.Loop(); i++ {
		cmds := flights(strconv.Itoa(i), MaxBatch)
		docs, err := sender{}.batch(cmds, t0)
		if err != nil {
			b.Fatal(err)
		}
		turns := []func(){
			func() {
				start := time.Now()
				if _, err := bare.InsertMany(b.Context(), docs, options.InsertMany().SetOrdered(false)); err != nil {
					b.Fatal(err)
				}
				theirs += time.Since(start)
			},
			func() {
				start := time.Now()
				w.track(b, cmds...)
				ours += time.Since(start)
			},
		}
		turns[i%2]() // who goes second finds the server warm
		turns[1-i%2]()
	}
	b.ReportMetric(float64(theirs)/float64(ours), "track-ratio")
	b.ReportMetric(float64(b.N)*MaxBatch/ours.Seconds(), "events/s")
}

// BenchmarkFold measures how fast a backlog is folded.
func BenchmarkFold(b *testing.B) {
	const n = 50_000
	for b.Loop() {
		b.StopTimer()
		w := worldOn(b, newWorld(b).db, Config{})
		w.define(b, delays)
		stop := w.fold(b)
		w.settle(b)
		stop()
		for i := range n / MaxBatch {
			w.track(b, flights(strconv.Itoa(i), MaxBatch)...)
		}
		b.StartTimer()
		start := time.Now()
		stop = w.fold(b)
		w.settle(b)
		b.ReportMetric(n/time.Since(start).Seconds(), "events/s")
		stop()
	}
}

// BenchmarkReport compares a day by the hour, and by the minute, from rollups with the same numbers from a million raw events.
func BenchmarkReport(b *testing.B) {
	w := worldOn(b, newWorld(b).db, Config{FlushRows: 20_000})
	w.define(b, delays)
	const n = 1_000_000
	for i := range n / MaxBatch {
		cmds := make([]EventCmd, MaxBatch)
		for j := range cmds {
			k := i*MaxBatch + j
			cmds[j] = flight(strconv.Itoa(k), time.Duration(k%1440)*time.Minute, strconv.Itoa(k%10), float64(k%60))
		}
		w.track(b, cmds...)
	}
	stop := w.fold(b)
	w.settle(b)
	stop()
	for name, q := range map[string]Query{
		"24 hours":               {Step: Hour, Last: 24},
		"24 hours by origin":     {Step: Hour, Last: 24, By: "origin"},
		"1440 minutes":           {Step: Minute, Last: 1440},
		"1440 minutes by origin": {Step: Minute, Last: 1440, By: "origin"},
	} {
		b.Run(name, func(b *testing.B) {
			q.Metric, q.Aggregate, q.Top = delays.Key, Avg, 10
			from, to := window(b, q, t0)
			var ours, raw time.Duration
			for b.Loop() {
				start := time.Now()
				r, err := w.Report(b.Context(), q)
				if err != nil || len(r.Points) == 0 {
					b.Fatal(len(r.Points), err)
				}
				between := time.Now()
				if got := rawReport(b, w, q, from, to); got != len(r.Points) {
					b.Fatalf("%d points from raw events, %d from rollups", got, len(r.Points))
				}
				ours, raw = ours+between.Sub(start), raw+time.Since(between)
			}
			b.ReportMetric(float64(raw)/float64(ours), "x-cheaper")
		})
	}
}

// rawReport computes the points of a report from the events.
func rawReport(b *testing.B, w world, q Query, from, to time.Time) int {
	id := bson.D{{Key: "t", Value: bson.D{{Key: "$dateTrunc", Value: bson.D{{Key: "date", Value: "$at"}, {Key: "unit", Value: strings.ToLower(string(q.Step))}}}}}}
	if q.By != "" {
		id = append(id, bson.E{Key: "k", Value: "$dims." + q.By})
	}
	type point struct {
		ID  bson.Raw `bson:"_id"`
		Avg float64  `bson:"avg"`
		N   int64    `bson:"n"`
	}
	points, err := store.Aggregate[point](context.WithoutCancel(b.Context()), w.store.events, bson.A{
		bson.D{{Key: "$match", Value: bson.D{
			{Key: "name", Value: "flight"}, {Key: "at", Value: bson.D{{Key: "$gte", Value: from}, {Key: "$lt", Value: to}}},
		}}},
		bson.D{{Key: "$group", Value: bson.D{
			{Key: "_id", Value: id}, {Key: "avg", Value: bson.D{{Key: "$avg", Value: "$values.delay"}}}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}},
		}}},
		bson.D{{Key: "$sort", Value: bson.D{{Key: "_id", Value: 1}}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return len(points)
}
