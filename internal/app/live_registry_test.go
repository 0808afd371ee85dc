package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestLiveDocument: a document, what leads to an object and a job are followed over one socket, on the other node too; who may not read
// gets a notice, and who may not any more the end.
func TestLiveDocument(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	defineNote(root)
	u, _ := user(t, a, "uta")
	doc := text(t, root.Must(createDoc, note("first")), "createDocument", "document", "id")
	f := follow(t, b, u.Token,
		map[string]any{"key": "doc", "document": map[string]any{"id": doc}},
		map[string]any{"key": "links", "backlinks": map[string]any{"to": doc}},
		map[string]any{"key": "none", "document": map[string]any{"id": "document:0197a0c0-0000-7000-8000-000000000001"}},
		map[string]any{"key": "job", "job": "job:0197a0c0-0000-7000-8000-000000000001"},
	)
	saw := map[string]bool{}
	f.until("all channels", func(m message) bool {
		if m.Kind == "SNAPSHOT" || m.Kind == "NOTICE" && m.Error.Code != "" {
			saw[m.Channel+" "+m.Kind] = true
		}
		return saw["doc SNAPSHOT"] && saw["links SNAPSHOT"] && saw["none NOTICE"] && saw["job NOTICE"]
	})
	root.Must(updateDoc, in(map[string]any{"id": doc, "rev": 1, "patch": map[string]any{"text": "second"}}))
	f.until("the change", func(m message) bool {
		return m.Channel == "doc" && strings.Contains(fmt.Sprint(m.Data), "second")
	})
	comment := text(t, root.Must(createDoc, in(map[string]any{"type": "core.comment", "data": map[string]any{"text": "well", "on": doc}})), "createDocument", "document", "id")
	f.until("the backlink", func(m message) bool { return m.Channel == "links" && strings.Contains(fmt.Sprint(m.Data), comment) })
	root.Must(deleteDoc, in(map[string]any{"id": doc}))
	f.until("the end of it", func(m message) bool { return m.Channel == "doc" && m.Kind != "SNAPSHOT" && m.Data["document"] == nil })
	back := root.Must(`mutation($in: RestoreDocumentInput!) { restoreDocument(input: $in) { documents { id rev } } }`, in(map[string]any{"id": doc}))
	if docs, _ := at(t, back, "restoreDocument", "documents").([]any); len(docs) != 2 {
		t.Errorf("%v came back", docs)
	}
	var itself, leads bool // in whichever order
	f.until("it and what leads to it are back", func(m message) bool {
		itself = itself || m.Channel == "doc" && strings.Contains(fmt.Sprint(m.Data), "second")
		leads = leads || m.Channel == "links" && strings.Contains(fmt.Sprint(m.Data), comment)
		return itself && leads
	})
}

// TestLiveJob: an import is followed to its end by who has started it, and by nobody else.
func TestLiveJob(t *testing.T) {
	t.Parallel()
	a, b := twoNodes(t)
	root := admin(t, a)
	defineNote(root)
	roomy(root)
	var lines bytes.Buffer
	for i := range 1500 {
		fmt.Fprintf(&lines, "{\"text\":\"note %d\"}\n", i)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/imports?type=note&format=ndjson", &lines)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+root.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Job string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	f := follow(t, b, root.Token, map[string]any{"key": "j", "job": answer.Job})
	last := f.until("the end", func(m message) bool { return m.Channel == "j" && m.Data["state"] == "DONE" })
	if got := fmt.Sprint(at(t, last.Data, "result", "counts", "made")); got != "1500" {
		t.Errorf("%s were made: %v", got, last.Data)
	}
	u, _ := user(t, a, "uta")
	follow(t, b, u.Token, map[string]any{"key": "j", "job": answer.Job}).until("a refusal", func(m message) bool { return m.Kind == "NOTICE" })
}
