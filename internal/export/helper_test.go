package export

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/blob"
	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/event"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/job"
	"github.com/backendbook/backendbook/internal/predicate"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
	"github.com/backendbook/backendbook/internal/table"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// rights are the permissions of each user; the system has all.
type rights map[string][]string

func (r rights) Require(ctx context.Context, permission string, _ ref.Ref) error {
	a := actor.From(ctx)
	if a.System || slices.Contains(r[a.User], permission) {
		return nil
	}
	return fault.ErrForbidden
}

func (r rights) Scope(ctx context.Context, permission, _ string) (predicate.Filter, error) {
	if r.Require(ctx, permission, ref.Ref{}) != nil {
		return predicate.None(), nil //nolint:nilerr // a refusal is a filter
	}
	return predicate.All(), nil
}

// world is a database with the services that exports stand on.
type world struct {
	*Service
	clock  *clock.Manual
	rights rights
	ctx    context.Context // of the user ann, who may do everything here
}

func newWorld(t *testing.T, cfg Config) world {
	t.Helper()
	return worldOn(t, storetest.DB(t), cfg)
}

func worldOn(t *testing.T, db *store.DB, cfg Config) world {
	t.Helper()
	plan := store.Plan{Collections: slices.Concat(analytics.Collections(), event.Collections(), job.Collections(), blob.Collections())}
	if _, err := db.Migrate(t.Context(), plan, false); err != nil {
		t.Fatal(err)
	}
	all := []string{analytics.PermRead, analytics.PermView, analytics.PermTrack, analytics.PermManage}
	w := world{clock: clock.NewManual(time.Now()), rights: rights{"ann": all}, ctx: as(t, "ann")}
	log, quiet := event.NewLog(db, w.clock.Now), slog.New(slog.DiscardHandler)
	w.Service = New(Deps{
		DB: db, Log: log, Authz: w.rights, Files: blob.NewGridFS(db), Now: w.clock.Now, Logger: quiet,
		Analytics: analytics.New(db, log, w.clock.Now, w.rights, analytics.Config{}), Jobs: job.New(db, clock.System(), quiet, w.rights),
	}, cfg)
	return w
}

func as(t *testing.T, user string) context.Context {
	return actor.With(t.Context(), actor.Actor{User: user})
}

// flight is a row of the file of flights.
type flight struct {
	Date, Origin, Destination string
	Delay, Distance           float64
}

const layout = "2006/01/02 15:04"

// load stores the flights of 2001 and gives them as the file has them, by time.
func (w world) load(t *testing.T) []flight {
	t.Helper()
	b, err := os.ReadFile("../../web/node_modules/vega-datasets/data/flights-20k.json")
	if os.IsNotExist(err) {
		t.Skip("no flights: scripts/packages web brings the real tables")
	}
	var rows []flight
	if err == nil {
		err = json.Unmarshal(b, &rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	done, err := w.Analytics.Ingest(w.ctx, analytics.IngestCmd{File: bytes.NewReader(b), Mapping: analytics.Mapping{
		Event: "flight", Time: "date", Layout: layout, Dims: []string{"origin", "destination"}, Values: []string{"delay", "distance"},
	}})
	if err != nil || done.Accepted != int64(len(rows)) {
		t.Fatalf("stored %+v of %d, %v", done, len(rows), err)
	}
	return sorted(rows)
}

// some stores n events, many of them at the same time.
func (w world) some(t *testing.T, n int) {
	t.Helper()
	for i := 0; i < n; i += analytics.MaxBatch {
		cmds := make([]analytics.EventCmd, min(n-i, analytics.MaxBatch))
		for k := range cmds {
			at := time.Date(2026, 1, 2, 3, (i+k)%60/6, 0, 0, time.UTC)
			cmds[k] = analytics.EventCmd{
				ID: fmt.Sprintf("-event-%d", (i+k)*7919%n), Name: "visit", At: &at,
				Dims:   map[string]any{"page": []string{"/", "=1+1", "a \"b\",\nc", "ü"}[k%4], "lang": "en"},
				Values: map[string]any{"ms": float64(k) / 7},
			}
		}
		if done, err := w.Analytics.Track(w.ctx, cmds); err != nil || done.Accepted != len(cmds) {
			t.Fatalf("stored %+v of %d, %v", done, len(cmds), err)
		}
	}
}

func sorted(rows []flight) []flight {
	slices.SortFunc(rows, func(a, b flight) int {
		return cmp.Or(strings.Compare(a.Date, b.Date), strings.Compare(a.Origin, b.Origin), strings.Compare(a.Destination, b.Destination),
			cmp.Compare(a.Delay, b.Delay), cmp.Compare(a.Distance, b.Distance))
	})
	return rows
}

// decoded reads events of JSON, or one of each line.
func decoded(t *testing.T, f table.Format, text string) (rows []flight) {
	t.Helper()
	var all []struct {
		At     time.Time
		Dims   struct{ Origin, Destination string }
		Values struct{ Delay, Distance float64 }
	}
	if f == table.NDJSON {
		text = "[" + strings.ReplaceAll(strings.TrimSpace(text), "\n", ",") + "]"
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		rows = append(rows, flight{e.At.Format(layout), e.Dims.Origin, e.Dims.Destination, e.Values.Delay, e.Values.Distance})
	}
	return rows
}

// flights reads an export back, whatever the format, without the code under test.
func flights(t *testing.T, f table.Format, text string) (rows []flight) {
	t.Helper()
	if f == table.JSON || f == table.NDJSON {
		return sorted(decoded(t, f, text))
	}
	cells := grid(t, f, text)
	column := map[string]int{}
	for i, name := range cells[0] {
		column[name] = i
	}
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, row := range cells[1:] {
		cell := func(name string) string { return row[column[name]] }
		at, err := time.Parse(time.RFC3339, cell("at"))
		if f == table.XLSX { // days, from 1899-12-30
			at, err = time.UnixMilli(int64(math.Round((number(cell("at"))-25569)*86400e3))).UTC(), nil
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, flight{
			at.Format(layout), cell("dims.origin"), cell("dims.destination"), number(cell("values.delay")), number(cell("values.distance")),
		})
	}
	return sorted(rows)
}

// grid is the cells of a CSV or an XLSX.
func grid(t *testing.T, f table.Format, text string) (rows [][]string) {
	t.Helper()
	if f == table.CSV {
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	book, err := excelize.OpenReader(strings.NewReader(text), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	if rows, err = book.GetRows("Data"); err != nil {
		t.Fatal(err)
	}
	return rows
}

func (w world) export(t *testing.T, cmd EventsCmd) string {
	t.Helper()
	var b strings.Builder
	if _, err := w.Events(w.ctx, cmd, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// download is the file of a job.
func (w world) download(t *testing.T, id string) string {
	t.Helper()
	f, err := w.Open(w.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// run does jobs until one has ended.
func (w world) run(t *testing.T, id string) (j job.Job) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Jobs.Run(ctx)
	}()
	defer func() {
		stop()
		<-done
	}()
	storetest.Eventually(t, 3*time.Minute, func() (ended bool) {
		var err error
		j, err = w.Jobs.Get(w.ctx, id)
		return err == nil && j.State.Ended()
	}, "the job ends")
	return j
}

// fold waits until all that was stored is in the rollups.
func (w world) fold(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Analytics.Fold(ctx)
	}()
	defer func() {
		stop()
		<-done
	}()
	if err := w.Analytics.Settled(ctx); err != nil {
		t.Fatal(err)
	}
}
