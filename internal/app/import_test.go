package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// vega is the folder of the real tables.
const vega = "../../web/node_modules/vega-datasets/data/"

func realTable(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vega, name))
	if err != nil {
		t.Skip("the tables are not there: npm ci in web/: ", err)
	}
	return b
}

// importOutcome is a job as its channel and its query tell it.
type importOutcome struct {
	State  string
	Done   int64
	Total  int64
	Result struct {
		Counts   map[string]int64
		Refused  string
		Problems []struct {
			Row                    int64
			Code, Pointer, Message string
		}
	}
}

// handIn hands a table in at a server and gives the id of the job.
func handIn(t *testing.T, server string, c *apptest.Client, query url.Values, body []byte) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server+"/imports?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Job string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%d, %v", resp.StatusCode, err)
	}
	return answer.Job
}

// imported hands a table in and waits for what becomes of it.
func imported(t *testing.T, s *apptest.Server, c *apptest.Client, query url.Values, body []byte) importOutcome {
	t.Helper()
	return endOf(t, c, handIn(t, s.URL, c, query, body))
}

// endOf waits for the end of an import, and longer than the claim of a node that is gone lasts.
func endOf(t *testing.T, c *apptest.Client, job string) importOutcome {
	t.Helper()
	var out struct{ Job importOutcome }
	within(t, 4*time.Minute, "the import ends", func() bool {
		c.Read(&out, `query($id: ID!) { job(id: $id) { state done total result } }`, map[string]any{"id": job})
		return out.Job.State == "DONE" || out.Job.State == "FAILED"
	})
	return out.Job
}

func movieType() map[string]any {
	text := func(more map[string]any) map[string]any {
		more["type"] = "string"
		return more
	}
	return in(map[string]any{"key": "movie", "name": "Movie", "schema": map[string]any{
		"type": "object", "label": "title", "required": []any{"title"}, "additionalProperties": false, "properties": map[string]any{
			"title": text(map[string]any{"minLength": 1, "maxLength": 200, "index": true}), "released": text(map[string]any{"format": "date", "index": true}),
			"imdbRating": map[string]any{"type": "number", "index": true}, "minutes": map[string]any{"type": "integer"}, "genre": text(map[string]any{"index": true}),
			"director": text(map[string]any{}), "usGross": map[string]any{"type": "number"},
		},
	}})
}

// roomy lets everybody own many documents.
func roomy(root *apptest.Client) {
	root.Must(`mutation($in: ApplyCatalogueInput!) { applyCatalogue(input: $in) { changes } }`, in(map[string]any{"yaml": `
plans:
  - {key: free, name: Free, default: true, features: [{feature: registry.documents, limit: 100000}]}
`}))
	root.Must(`mutation($in: MigrateMembersInput!) { migrateMembers(input: $in) { members { subject } } }`, in(map[string]any{"plan": "free"}))
}

// TestImportMovies: a real table that is not clean becomes documents, and each row that does not is told of.
func TestImportMovies(t *testing.T) {
	t.Parallel()
	movies := realTable(t, "movies.json")
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	roomy(root)
	root.Must(defineType, movieType())
	mapping, _ := json.Marshal(map[string]string{"Release Date": "released", "Running Time min": "minutes", "Major Genre": "genre"})
	query := url.Values{"type": {"movie"}, "format": {"json"}, "dryRun": {"true"}, "map": {string(mapping)}}
	dry := imported(t, s, root, query, movies)
	if dry.State != "DONE" || dry.Result.Counts["read"] != 3201 || dry.Result.Counts["made"] != 0 || dry.Result.Counts["bad"] == 0 {
		t.Fatalf("dry run: %+v", dry)
	}
	if n := storetest.Count(t, s.DB(), "documents"); n != 0 {
		t.Errorf("a dry run has made %d documents", n)
	}
	for _, p := range dry.Result.Problems {
		if p.Row < 1 || p.Row > 3201 || p.Code == "" {
			t.Errorf("%+v", p)
		}
	}
	query.Set("onError", "skip")
	query.Del("dryRun")
	made := imported(t, s, root, query, movies)
	bad := dry.Result.Counts["bad"]
	if made.Result.Counts["made"] != 3201-bad || made.Result.Counts["bad"] != bad || made.Done != int64(len(movies)) || made.Done != made.Total {
		t.Errorf("%+v", made)
	}
	var found struct {
		Documents struct {
			Count int
			Nodes []struct{ Data map[string]any }
		}
	}
	root.Read(&found, `{ documents(type: "movie", sort: [{field: "imdbRating", desc: true}], filter: {imdbRating: {gte: 9}}, first: 1) { count(limit: 10000) nodes { data } } }`, nil)
	want := 0 // an independent count
	var rows []map[string]any
	if err := json.Unmarshal(movies, &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if n, ok := r["IMDB Rating"].(float64); ok && n >= 9 && r["Title"] != nil {
			want++
		}
	}
	if found.Documents.Count != want || want == 0 {
		t.Errorf("%d movies of 9 or more, not %d", found.Documents.Count, want)
	}
	released := fmt.Sprint(found.Documents.Nodes[0].Data["released"])
	if len(released) != len("2006-01-02") || strings.Count(released, "-") != 2 {
		t.Errorf("released %s", released)
	}
	numbers := storetest.Count(t, s.DB(), "documents", bson.D{{Key: "data.title", Value: "300"}})
	if numbers != 1 {
		t.Errorf("%d movies are called 300, which the table has as a number", numbers)
	}
	query.Del("onError")
	if stopped := imported(t, s, root, query, movies); bad > 0 && (stopped.Result.Refused == "" || stopped.Result.Counts["made"] >= 3201-bad) {
		t.Errorf("the first bad row does not end it: %+v", stopped.Result.Counts)
	}
}

// TestImportKilled: a server is killed in the middle of an import, and another one goes on with it. Each good row is one document, no
// row is lost, and the events and the quota know of the same.
func TestImportKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until the claim of the killed server has run out")
	}
	t.Parallel()
	const rows, everyBad = 12_000, 1_000
	var csv bytes.Buffer
	csv.WriteString("n,word\n")
	for n := 1; n <= rows; n++ {
		if n%everyBad == 0 {
			fmt.Fprintf(&csv, "none,%d\n", n)
			continue
		}
		fmt.Fprintf(&csv, "%d,\"row %d, with a comma\"\n", n, n)
	}
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	roomy(root)
	root.Must(defineType, in(map[string]any{"key": "row", "name": "Row", "schema": map[string]any{
		"type": "object", "required": []any{"n"}, "properties": map[string]any{
			"n": map[string]any{"type": "integer", "index": true}, "word": map[string]any{"type": "string"},
		},
	}}))
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	victim := serve(t, commandsOn(t, s.Database))
	job := handIn(t, victim.url, root, url.Values{"type": {"row"}, "format": {"csv"}, "onError": {"skip"}}, csv.Bytes())
	until(t, "the import has begun", func() bool { return storetest.Count(t, s.DB(), "documents") > 0 })
	victim.signal(syscall.SIGKILL)
	victim.wait()
	if n := storetest.Count(t, s.DB(), "documents"); n == 0 || n >= rows-rows/everyBad {
		t.Fatalf("%d documents when the server is killed: that is not the middle", n)
	}

	next := apptest.Start(t, apptest.Setup{Database: s.Database})
	root = root.At(next)
	got := endOf(t, root, job)
	const bad, good = rows / everyBad, rows - rows/everyBad
	if want := map[string]int64{"read": rows, "made": good, "bad": bad}; got.State != "DONE" || !maps.Equal(got.Result.Counts, want) ||
		len(got.Result.Problems) != bad || got.Done != int64(csv.Len()) || got.Total != got.Done {
		t.Errorf("%s, %d of %d bytes, %+v, %d problems", got.State, got.Done, got.Total, got.Result.Counts, len(got.Result.Problems))
	}
	for i, p := range got.Result.Problems {
		if want := int64((i+1)*everyBad + 1); p.Row != want || p.Code != "DOCUMENT_INVALID" || p.Pointer != "/n" {
			t.Errorf("problem %d: %+v, not on line %d", i, p, want)
		}
	}
	eachOnce(t, next.DB(), func(n int) bool { return n%everyBad != 0 }, rows)
	type fact struct {
		Data struct{ Documents []bson.Raw }
	}
	events, err := store.Find[fact](t.Context(), next.DB().Collection("events"), bson.D{{Key: "kind", Value: "registry.document.imported"}})
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		told += len(e.Data.Documents)
	}
	if told != good {
		t.Errorf("the events tell of %d documents", told)
	}
	if n := storetest.Count(t, next.DB(), "blobs.files"); n != 0 {
		t.Errorf("%d tables are left", n)
	}
	type entitlement struct {
		Feature string
		Used    int
	}
	var used struct{ Entitlements []entitlement }
	root.Read(&used, `{ entitlements { feature used } }`, nil)
	if want := (entitlement{"registry.documents", good}); !slices.Contains(used.Entitlements, want) {
		t.Errorf("the quota: %+v", used.Entitlements)
	}
}

// eachOnce checks that each good row of 1 to rows is one document, as it was in the table, and that there are no others.
func eachOnce(t *testing.T, db *store.DB, good func(n int) bool, rows int) {
	t.Helper()
	type row struct {
		Data struct {
			N    int
			Word string
		}
	}
	docs, err := store.Find[row](t.Context(), db.Collection("documents"), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for _, d := range docs {
		seen[d.Data.N]++
		if want := fmt.Sprintf("row %d, with a comma", d.Data.N); d.Data.Word != want || !good(d.Data.N) {
			t.Errorf("%+v is no row", d.Data)
		}
	}
	for n := 1; n <= rows; n++ {
		if good(n) && seen[n] != 1 {
			t.Errorf("row %d is in %d documents", n, seen[n])
		}
	}
}

// TestImportAirports: a CSV comes in and goes out again.
func TestImportAirports(t *testing.T) {
	t.Parallel()
	airports := realTable(t, "airports.csv")
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	roomy(root)
	root.Must(defineType, in(map[string]any{"key": "airport", "name": "Airport", "schema": map[string]any{
		"type": "object", "label": "iata", "required": []any{"iata"}, "properties": map[string]any{
			"iata": map[string]any{"type": "string", "index": true}, "name": map[string]any{"type": "string"}, "city": map[string]any{"type": "string"}, "state": map[string]any{"type": "string", "index": true},
			"country": map[string]any{"type": "string"}, "latitude": map[string]any{"type": "number"}, "longitude": map[string]any{"type": "number"},
		},
	}}))
	lines := int64(bytes.Count(bytes.TrimSpace(airports), []byte("\n")))
	made := imported(t, s, root, url.Values{"type": {"airport"}, "format": {"csv"}}, airports)
	if made.Result.Counts["made"] != lines || made.Result.Counts["bad"] != 0 {
		t.Fatalf("%d of %d: %+v", made.Result.Counts["made"], lines, made.Result)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/exports?type=airport&format=csv&filter="+url.QueryEscape(`{"state":{"eq":"AK"}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+root.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out bytes.Buffer
	if _, err := out.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	want := bytes.Count(airports, []byte(",AK,USA,"))
	if got := bytes.Count(out.Bytes(), []byte("\n")) - 1; got != want || want == 0 || resp.Header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%d rows of Alaska, not %d; %s", got, want, resp.Header.Get("Content-Type"))
	}
	nobody := s.Browser()
	for _, query := range []string{"/exports?type=airport&format=csv", "/exports?type=airport&format=xml", "/exports?type=none&format=csv"} {
		if status, _, _ := fetched(t, nobody, query); status == http.StatusOK {
			t.Errorf("%s is open to anybody", query)
		}
	}
}
