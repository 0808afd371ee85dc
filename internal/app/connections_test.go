package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// connections are the connection fields of the query root, with what makes their arguments good.
func connections(t *testing.T, root *apptest.Client) map[string]string {
	t.Helper()
	program := text(t, root.Must(`mutation { createServiceAccount(input: {name: "Program"}) { user { id } } }`, nil), "createServiceAccount", "user", "id")
	needs := map[string]string{
		"documents": `type: "note"`, "trash": `type: "note"`, "backlinks": fmt.Sprintf(`to: %q`, program),
		"behind":       `input: {funnel: {funnel: {steps: [{event: "a"}, {event: "b"}], windowSeconds: 60, lastDays: 1}, step: 1}}`,
		"userSessions": fmt.Sprintf(`user: %q`, program), "serviceAccessKeys": fmt.Sprintf(`serviceAccount: %q`, program),
	}
	all := map[string]string{}
	for _, f := range parsed(t).Query.Fields {
		if strings.HasSuffix(f.Type.Name(), "Connection") {
			all[f.Name] = needs[f.Name]
		}
	}
	return all
}

// TestConnections: whatever the list, a page has at most 100 items and goes one way, and what is wrong is blamed.
func TestConnections(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	all := connections(t, root)
	if len(all) < 15 {
		t.Errorf("there are only %d connections", len(all))
	}
	for name, needs := range all {
		for args, field := range map[string]string{
			"first: 101": "first", "first: 0": "first", "first: -1": "first", "last: 101": "last", "first: 1, last: 1": "last",
			`first: 1, after: "W10"`: "after", `last: 1, before: "%%%"`: "before",
		} {
			r := root.Do(fmt.Sprintf(`{ %s(%s) { edges { cursor } } }`, name, strings.Trim(needs+", "+args, ", ")), nil)
			want := "PAGE_SIZE"
			if strings.Contains(args, `"`) {
				want = "BAD_CURSOR"
			}
			if r.Code() != want || r.Errors[0].Extensions["field"] != field || r.Errors[0].Extensions["requestId"] == "" {
				t.Errorf("%s(%s): %+v, want %s of %s", name, args, r.Errors, want, field)
			}
		}
		r := root.Do(fmt.Sprintf(`{ %s(%s) { edges { cursor node { __typename } } nodes { __typename } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`,
			name, strings.Trim(needs+", first: 1", ", ")), nil)
		if r.Code() != "" {
			t.Errorf("%s: %+v", name, r.Errors)
			continue
		}
		checkPage(t, name, at(t, r.Data, name).(map[string]any))
	}
}

// checkPage checks that the parts of a page of at most one item agree.
func checkPage(t *testing.T, name string, page map[string]any) {
	t.Helper()
	edges, nodes, info := page["edges"].([]any), page["nodes"].([]any), page["pageInfo"].(map[string]any)
	var start any
	if len(edges) > 0 {
		start = edges[0].(map[string]any)["cursor"]
	}
	if len(edges) > 1 || len(nodes) != len(edges) || info["startCursor"] != start || info["endCursor"] != start || info["hasPreviousPage"] != false {
		t.Errorf("%s: %v", name, page)
	}
}

// TestPagingUnderWrites: while others write, who pages to the end sees each document that was there all the time exactly
// once and in its place, forward and backward.
func TestPagingUnderWrites(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{})
	root := admin(t, s)
	defineNote(root)
	const stable = 14 // a plan gives 20
	var ids []string  // the newest first, as the list has them
	for i := range stable {
		ids = append(ids, text(t, root.Must(createDoc, note(fmt.Sprintf("stays %d", i))), "createDocument", "document", "id"))
	}
	slices.Reverse(ids)

	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	writes := make([]int, 2)
	writers.Go(func() { // in front of and between what is paged
		for ; ctx.Err() == nil; writes[0]++ {
			id := text(t, root.Must(createDoc, note("goes")), "createDocument", "document", "id")
			root.Must(deleteDoc, map[string]any{"in": map[string]any{"id": id, "purge": true}})
		}
	})
	writers.Go(func() { // in what is paged
		for ; ctx.Err() == nil; writes[1]++ {
			id := ids[writes[1]%stable]
			rev := at(t, root.Must(`query($id: ID!) { document(id: $id) { rev } }`, map[string]any{"id": id}), "document", "rev")
			root.Must(updateDoc, map[string]any{"in": map[string]any{"id": id, "rev": rev, "patch": map[string]any{"text": fmt.Sprintf("stays, %d", writes[1])}}})
		}
	})
	for range 20 {
		for _, backward := range []bool{false, true} {
			seen := slices.DeleteFunc(paged(t, root, backward), func(id string) bool { return !slices.Contains(ids, id) })
			if !slices.Equal(seen, ids) {
				t.Errorf("backward %v: %d documents, %v", backward, len(seen), seen)
			}
		}
	}
	stop()
	writers.Wait()
	if writes[0] == 0 || writes[1] == 0 {
		t.Errorf("nobody wrote meanwhile: %v", writes)
	}
}

// paged reads all notes in pages of three, and gives them in the order of the list.
func paged(t *testing.T, c *apptest.Client, backward bool) (ids []string) {
	t.Helper()
	query, next, more := `query($at: String) { documents(type: "note", first: 3, after: $at) `, "endCursor", "hasNextPage"
	if backward {
		query, next, more = `query($at: String) { documents(type: "note", last: 3, before: $at) `, "startCursor", "hasPreviousPage"
	}
	var cursor any
	for range 100 {
		page := at(t, c.Must(query+`{ nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`, map[string]any{"at": cursor}), "documents").(map[string]any)
		var some []string
		for _, n := range page["nodes"].([]any) {
			some = append(some, n.(map[string]any)["id"].(string))
		}
		if backward {
			ids = append(some, ids...)
		} else {
			ids = append(ids, some...)
		}
		info := page["pageInfo"].(map[string]any)
		if info[more] != true {
			return ids
		}
		cursor = info[next]
	}
	t.Fatal("the list has no end")
	return nil
}
