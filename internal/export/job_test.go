package export

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/table"
)

var errKilled = errors.New("killed")

// TestAKilledJobWritesTheSameFile: steps end in the middle, after they have stored a part, again and again.
func TestAKilledJobWritesTheSameFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PartRows: 1000})
	w.some(t, 6500)
	rnd := rand.New(rand.NewPCG(5, 6))
	for _, f := range formats {
		cmd := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: f, Values: []string{"ms"}}
		calm, err := w.StartEvents(w.ctx, cmd)
		if err != nil {
			t.Fatal(err)
		}
		want := w.download(t, w.run(t, calm.ID).ID)
		j, err := w.Jobs.Get(w.ctx, calm.ID)
		if err != nil {
			t.Fatal(err)
		}
		j.Cursor, j.Result, j.Done, j.Total = nil, nil, 0, 0
		var p progress
		kills := 0
		for finished := false; !finished; {
			try := j
			kill := kills < 4 && rnd.IntN(2) == 0
			err := w.DB.InTx(w.ctx, func(ctx context.Context) (err error) {
				if finished, err = w.step(ctx, &try); err == nil && kill {
					err = errKilled
				}
				return err
			})
			if kill {
				kills++
				finished = false
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			j = try
		}
		if _, p, err = read(j); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(&reader{ctx: w.ctx, files: w.Files, parts: p.Parts, size: p.size()})
		if err != nil || string(got) != want || kills == 0 || len(p.Parts) != 7 || p.size() != int64(len(want)) {
			t.Errorf("%s: %d bytes in %d parts after %d kills, %v; want %d", f, len(got), len(p.Parts), kills, err, len(want))
		}
	}
}

// TestOtherNodesGoOn: managers that end in the middle hand a job over, and what they write together is what one writes.
func TestOtherNodesGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PartRows: 1000})
	w.some(t, 9000)
	cmd := EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.CSV}
	j, err := w.StartEvents(w.ctx, cmd)
	if err != nil {
		t.Fatal(err)
	}
	seen := int64(0)
	for range 3 {
		node := worldOn(t, w.DB, Config{PartRows: 1000})
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			node.Jobs.Run(ctx)
		}()
		storetest.Eventually(t, time.Minute, func() bool {
			now, err := w.Jobs.Get(w.ctx, j.ID)
			return err == nil && (now.Done > seen || now.State.Ended())
		}, "the job goes on")
		stop()
		<-done
		now, err := w.Jobs.Get(w.ctx, j.ID)
		if err != nil || now.Total != 9000 {
			t.Fatalf("%d of %d, %v", now.Done, now.Total, err)
		}
		seen = now.Done
	}
	w.run(t, j.ID)
	if got, want := w.download(t, j.ID), w.export(t, cmd); got != want {
		t.Errorf("%d bytes, want %d", len(got), len(want))
	}
}

// TestTheFile: who may have it, any range of it, and for how long.
func TestTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{PartRows: 1000})
	w.some(t, 3000)
	w.rights["bob"] = []string{analytics.PermRead}
	w.rights["eve"] = []string{job.PermRead}
	w.rights["sue"] = []string{job.PermRead, analytics.PermRead}
	j, err := w.StartEvents(w.ctx, EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.NDJSON})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Open(w.ctx, j.ID); !errors.Is(err, ErrEarly) {
		t.Errorf("before it is written: %v", err)
	}
	j = w.run(t, j.ID)
	whole := w.download(t, j.ID)
	for user, want := range map[string]error{"ann": nil, "sue": nil, "bob": fault.ErrForbidden, "eve": fault.ErrForbidden, "": fault.ErrUnauthenticated} {
		if _, err := w.Open(as(t, user), j.ID); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", user, err, want)
		}
	}
	if _, err := w.Open(w.ctx, "none"); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("no job: %v", err)
	}
	f, err := w.Open(w.ctx, j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "visit.ndjson" || !f.ModifiedAt.Equal(*j.FinishedAt) {
		t.Errorf("%+v", f)
	}
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		from := rnd.IntN(len(whole) + 1)
		n := rnd.IntN(len(whole) - from + 1)
		var b strings.Builder
		if _, err := f.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(&b, f, int64(n)); err != nil || b.String() != whole[from:from+n] {
			t.Errorf("%d bytes from %d: %v", n, from, err)
		}
	}
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end != int64(len(whole)) {
		t.Errorf("the end is %d, %v", end, err)
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		t.Error("there is something before the beginning")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	w.rights["ann"] = nil
	if _, err := w.Open(w.ctx, j.ID); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("after the right is taken: %v", err)
	}
	system := actor.With(t.Context(), actor.System())
	for _, tc := range []struct {
		later time.Duration
		parts int
		want  error
	}{{KeepFor - time.Hour, 3, nil}, {2 * time.Hour, 3, ErrGone}, {24 * time.Hour, 0, ErrGone}} {
		w.clock.Advance(tc.later)
		if err := w.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := storetest.Count(t, w.DB, "blobs.files"); n != tc.parts {
			t.Errorf("%s later %d parts are left, want %d", tc.later, n, tc.parts)
		}
		if _, err := w.Open(system, j.ID); !errors.Is(err, tc.want) {
			t.Errorf("%s later: %v, want %v", tc.later, err, tc.want)
		}
	}
}

// TestRightsAreAskedInEachStep: a job goes no further than whoever asked may.
func TestRightsAreAskedInEachStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.some(t, 10)
	j, err := w.StartEvents(w.ctx, EventsCmd{Scan: analytics.Scan{Name: "visit"}, Format: table.CSV})
	if err != nil {
		t.Fatal(err)
	}
	w.rights["ann"] = []string{analytics.PermView}
	if j = w.run(t, j.ID); j.State != job.Failed || j.Code != fault.ErrForbidden.Code || storetest.Count(t, w.DB, "blobs.files") != 0 {
		t.Errorf("the job is %s for %s", j.State, j.Code)
	}
}
