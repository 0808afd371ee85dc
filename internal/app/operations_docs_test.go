package app_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

const operationsDocs = "../../docs/operations"

// shownOnceUsed are metrics that a server without trusted documents or deprecated fields does not show.
var shownOnceUsed = []string{"backendbook_graphql_trusted_seconds", "backendbook_graphql_deprecated_total"}

var (
	metricType   = regexp.MustCompile(`(?m)^# TYPE (\w+) (\w+)$`)
	metricSample = regexp.MustCompile(`(?m)^(\w+)\{([^}]*)\} `)
	metricUse    = regexp.MustCompile(`\b((?:backendbook|process|go)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	labelName    = regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"`)
)

// TestOperationsMetrics: the dashboard, the alerts and the table name metrics that the server exposes, with labels that they have, and the table
// names all of its own.
func TestOperationsMetrics(t *testing.T) {
	t.Parallel()
	exposed := exposedMetrics(t)
	for _, expr := range append(alertExpressions(t), dashboardExpressions(t)...) {
		for _, use := range metricUse.FindAllStringSubmatch(expr, -1) {
			labels, known := exposed[use[1]]
			if !known {
				t.Errorf("no server exposes %s, which is used in %s", use[1], expr)
			}
			for _, l := range labelName.FindAllStringSubmatch(use[2], -1) {
				if !slices.Contains(append(labels, "instance", "job"), l[1]) { // Prometheus adds those two
					t.Errorf("%s has no label %s, which is used in %s", use[1], l[1], expr)
				}
			}
		}
	}
	table := readDoc(t, "metrics-and-alerts.md")
	for name := range exposed {
		if whole := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count"); strings.HasPrefix(name, "backendbook_") && !strings.Contains(table, "`"+whole+"`") {
			t.Errorf("metrics-and-alerts.md does not have %s", whole)
		}
	}
	for _, use := range metricUse.FindAllStringSubmatch(table, -1) {
		if _, known := exposed[use[1]]; !known && !strings.HasSuffix(use[1], "_") && !slices.Contains(shownOnceUsed, use[1]) && exposed[use[1]+"_count"] == nil {
			t.Errorf("metrics-and-alerts.md has %s, which no server exposes", use[1])
		}
	}
}

// exposedMetrics gives what a server exposes that has been asked something, by the names of the samples, with their labels.
func exposedMetrics(t *testing.T) map[string][]string {
	t.Helper()
	s := apptest.Start(t, apptest.Setup{})
	s.Browser().Must(`{ __typename }`, nil)
	_, body, _ := get(t, s.InternalURL()+"/metrics")
	exposed := map[string][]string{}
	for _, m := range metricType.FindAllStringSubmatch(body, -1) {
		if m[2] != "histogram" {
			exposed[m[1]] = []string{}
		}
	}
	for _, m := range metricSample.FindAllStringSubmatch(body, -1) {
		for _, l := range labelName.FindAllStringSubmatch(m[2], -1) {
			exposed[m[1]] = append(exposed[m[1]], l[1])
		}
	}
	if len(exposed) < 40 {
		t.Fatalf("only %d metrics: %v", len(exposed), slices.Sorted(maps.Keys(exposed)))
	}
	return exposed
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(operationsDocs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// alertExpressions gives those of the rules, each of which must be complete and in the table.
func alertExpressions(t *testing.T) (all []string) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
				Labels      struct{ Severity string }
				Annotations struct{ Summary string }
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readDoc(t, "alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	table := readDoc(t, "metrics-and-alerts.md")
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Annotations.Summary == "" || !strings.Contains(table, "| `"+r.Alert+"` | "+r.Labels.Severity+" |") {
				t.Errorf("%s, %s, is not in the table, or says nothing", r.Alert, r.Labels.Severity)
			}
			all = append(all, r.Expr)
		}
	}
	if n := strings.Count(table, "| `BackendBook"); n != len(all) || n == 0 {
		t.Errorf("%d alerts are described, and there are %d", n, len(all))
	}
	return all
}

func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	var file struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readDoc(t, "dashboard.json")), &file); err != nil {
		t.Fatal(err)
	}
	for _, p := range file.Panels {
		if len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	settingRow   = regexp.MustCompile("(?m)^\\| `([a-z-]+(?:\\.[a-z0-9-]+)?)` \\| (\\S[^|]*) \\|")
	variable     = regexp.MustCompile(`\b(?:BACKENDBOOK_[A-Z0-9_]+|MONGODB_URI(?:_FILE)?)\b`)
	settingNamed = regexp.MustCompile("`([a-z]+)\\.([a-z0-9-]+)(?:: [^`]+)?`")
)

// TestOperationsSettings: the pages and the examples for operators name settings and variables that there are, and the examples can be read.
func TestOperationsSettings(t *testing.T) {
	t.Parallel()
	config := readDoc(t, "../config.md")
	settings, groups, variables := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, row := range settingRow.FindAllStringSubmatch(config, -1) {
		settings[row[1]] = true
		if group, _, in := strings.Cut(row[1], "."); in {
			groups[group] = true
		}
		for _, v := range variable.FindAllString(row[2], -1) {
			variables[v] = true
		}
	}
	if len(settings) < 50 || len(variables) < 50 {
		t.Fatalf("only %d settings and %d variables were found", len(settings), len(variables))
	}
	for name, text := range operationsFiles(t) {
		for _, v := range variable.FindAllString(text, -1) {
			if !variables[v] {
				t.Errorf("%s names the variable %s, which there is not", name, v)
			}
		}
		for _, s := range settingNamed.FindAllStringSubmatch(text, -1) {
			if groups[s[1]] && !settings[s[1]+"."+s[2]] {
				t.Errorf("%s names the setting %s.%s, which there is not", name, s[1], s[2])
			}
		}
		if filepath.Ext(name) != ".yaml" {
			continue
		}
		for _, part := range strings.Split(text, "\n---\n") {
			var v map[string]any
			if err := yaml.Unmarshal([]byte(part), &v); err != nil || len(v) < 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// operationsFiles gives the pages and examples for operators.
func operationsFiles(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(operationsDocs, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		all[name] = string(b)
		return err
	})
	if err != nil || len(all) < 8 {
		t.Fatalf("%d files: %v", len(all), err)
	}
	return all
}

var (
	shardRow  = regexp.MustCompile("(?m)^\\| (`[^|]+) \\| `\\{([^|]+)\\}` \\|")
	shardWord = regexp.MustCompile("`([a-z]+(?:_[a-z]+)*(?:\\.chunks)?)`")
	shardKey  = regexp.MustCompile(`"?([a-zA-Z_.]+)"?: (?:1|"hashed")`)
)

// TestOperationsShardKeys: the page of deployment names collections that there are, and each unique index begins with the shard key that is
// proposed, without which MongoDB would refuse one of the two.
func TestOperationsShardKeys(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(readDoc(t, "deploy.md"), "## Sharded cluster")
	db := apptest.Start(t, apptest.Setup{}).DB().Database()
	names, err := db.ListCollectionNames(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range shardWord.FindAllStringSubmatch(section, -1) {
		if !slices.Contains(names, word[1]) {
			t.Errorf("there is no collection %s", word[1])
		}
	}
	rows := shardRow.FindAllStringSubmatch(section, -1)
	if len(rows) < 8 {
		t.Fatalf("only %d shard keys were found", len(rows))
	}
	for _, row := range rows {
		var key []string
		for _, field := range shardKey.FindAllStringSubmatch(row[2], -1) {
			key = append(key, field[1])
		}
		for _, name := range shardWord.FindAllStringSubmatch(row[1], -1) {
			specs, err := db.Collection(name[1]).Indexes().ListSpecifications(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, index := range specs {
				if index.Unique != nil && *index.Unique && !begins(t, index.KeysDocument, key) {
					t.Errorf("the unique index %s of %s does not begin with its shard key %v", index.Name, name[1], key)
				}
			}
		}
	}
}

// begins reports whether the fields of an index begin with those of a key.
func begins(t *testing.T, index bson.Raw, key []string) bool {
	t.Helper()
	fields, err := index.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range key {
		if i >= len(fields) || fields[i].Key() != name {
			return false
		}
	}
	return true
}
