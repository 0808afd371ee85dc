package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// exampleSystems are the seven, as the names of the explorer's examples begin.
var exampleSystems = []string{"webauth", "sessions", "rbac", "plans", "registry", "analytics", "live"}

// example is one that the console's explorer opens in a tab.
type example struct {
	name, query string
	variables   map[string]any
}

func examples(t *testing.T) (all []example) {
	t.Helper()
	files, err := filepath.Glob("../../web/src/explorer/examples/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	systems := map[string]bool{}
	for _, file := range files {
		query, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		e := example{name: strings.TrimSuffix(filepath.Base(file), ".graphql"), query: string(query)}
		if vars, err := os.ReadFile(strings.TrimSuffix(file, ".graphql") + ".json"); err == nil {
			if err := json.Unmarshal(vars, &e.variables); err != nil {
				t.Fatalf("%s: %v", e.name, err)
			}
		} else if strings.Contains(e.query, "$") {
			t.Fatalf("%s has variables and no values: %v", e.name, err)
		}
		system, _, _ := strings.Cut(e.name, "-")
		systems[system] = true
		all = append(all, e)
	}
	for _, system := range exampleSystems {
		if !systems[system] {
			t.Errorf("no example of %s", system)
		}
		delete(systems, system)
	}
	if len(systems) > 0 {
		t.Errorf("examples of no system: %v", systems)
	}
	return all
}

// TestExamples runs every example of the explorer on the data of the demo, and what it costs is what the server has told before.
func TestExamples(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--demo", "--demo-data-dir=../demo/testdata", "--demo-speed=1"}})
	root := admin(t, s)
	for _, e := range examples(t) {
		t.Run(e.name, func(t *testing.T) {
			told := root.Do(e.query, e.variables, "X-Cost", "only")
			if told.Status != http.StatusOK || len(told.Errors) > 0 || told.Data != nil {
				t.Fatalf("the price: %d %+v %v", told.Status, told.Errors, told.Data)
			}
			if strings.Contains(e.query, "subscription ") {
				firstFrame(t, root, e)
				return
			}
			done := root.Do(e.query, e.variables, "X-Cost", "1")
			if done.Status != http.StatusOK || len(done.Errors) > 0 || len(done.Data) == 0 {
				t.Fatalf("the run: %d %+v", done.Status, done.Errors)
			}
			if told, done := at(t, told.Extensions, "cost", "requested"), at(t, done.Extensions, "cost", "requested"); told != done || told == 0.0 {
				t.Errorf("told %v, charged %v", told, done)
			}
		})
	}
}

// firstFrame asks for a subscription by server-sent events, until the first that holds data.
func firstFrame(t *testing.T, c *apptest.Client, e example) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": e.query, "variables": e.variables})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {"text/event-stream"}, "Authorization": {"Bearer " + c.Token}}
	res, err := c.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	for in := bufio.NewScanner(res.Body); in.Scan(); {
		data, is := strings.CutPrefix(in.Text(), "data:")
		if !is || strings.TrimSpace(data) == "" {
			continue
		}
		if !strings.Contains(data, `"kind":"SNAPSHOT"`) || strings.Contains(data, `"errors"`) {
			t.Errorf("the first frame: %s", data)
		}
		return
	}
	t.Error("no frame came")
}

// TestCostAlone asks for the cost of what would change something, of what is refused, and of what says where its cost is.
func TestCostAlone(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	only := func(query string, variables map[string]any) apptest.Response {
		return root.Do(query, variables, "X-Cost", "only")
	}
	first := map[string]any{"first": 50}
	list := `query($first: Int) { documents(type: "note", first: $first) { nodes { id backlinks(first: 5) { nodes { path } } } } }`
	told := at(t, only(list, first).Extensions, "cost")
	if got := at(t, told, "requested"); got != 402.0 { // 1 + 1 + 50 * (1 + 1 + 1 + 5)
		t.Errorf("the list costs %v", got)
	}
	var way []any
	for _, step := range at(t, told, "dearest").([]any) {
		way = append(way, at(t, step, "field"), at(t, step, "size"))
	}
	if want := []any{"documents", 50.0, "nodes", 1.0, "backlinks", 5.0, "nodes", 1.0}; !slices.Equal(way, want) {
		t.Errorf("the way down is %v, not %v", way, want)
	}
	role := map[string]any{"in": map[string]any{"key": "never", "name": "Never", "permissions": []any{}}}
	if res := only(`mutation($in: CreateRoleInput!) { createRole(input: $in) { role { id } } }`, role); res.Code() != "" || at(t, res.Extensions, "cost", "requested") != 3.0 {
		t.Errorf("a mutation: %+v", res)
	}
	if roles := fmt.Sprint(root.Must(`{ roles { nodes { key } } }`, nil)); strings.Contains(roles, "never") || !strings.Contains(roles, "admin") {
		t.Errorf("it was executed: %s", roles)
	}
	for code, query := range map[string]string{
		"QUERY_TOO_COMPLEX":         `{ documents(type: "note", first: 100) { nodes { backlinks(first: 100) { nodes { from { backlinks(first: 100) { nodes { path } } } } } } } }`,
		"QUERY_TOO_DEEP":            "{ me " + strings.Repeat("{ user ", 20) + "{ id }" + strings.Repeat(" }", 21),
		"GRAPHQL_VALIDATION_FAILED": `{ nothing }`,
	} {
		res := only(query, nil)
		if res.Code() != code {
			t.Errorf("%s is told as %s", code, res.Code())
		}
		if code == "QUERY_TOO_COMPLEX" && !maps.Equal(res.Errors[0].Extensions, map[string]any{
			"code": code, "cost": at(t, res.Errors[0].Extensions, "cost"), "limit": 100_000.0, "requestId": at(t, res.Errors[0].Extensions, "requestId"),
		}) {
			t.Errorf("%s says %v", code, res.Errors[0].Extensions)
		}
	}
}
