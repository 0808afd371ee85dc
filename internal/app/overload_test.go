package app_test

import (
	"net/http"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/app/apptest"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

// TestOverload: while queries have all the places they may, more are refused at once and told when to come again; mutations still go,
// and signing in and out to the end.
func TestOverload(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Setup{Args: []string{"--graphql-max-concurrent=8"}})
	root := admin(t, s)
	defineNote(root)
	root.Must(createDoc, note("one"))
	list := `{ documents(type: "note", first: 5) { nodes { id } } }`
	off := storetest.FailPoint(t, s.DB(), "alwaysOn", bson.D{
		{Key: "failCommands", Value: bson.A{"find"}},
		{Key: "namespace", Value: s.Database + ".documents"},
		{Key: "blockConnection", Value: true},
		{Key: "blockTimeMS", Value: 3000},
	})
	var slow sync.WaitGroup
	for range 6 { // three quarters of the places
		slow.Go(func() {
			for root.Do(list, nil).Code() == "OVERLOADED" { // one of the questions below had its place
				continue
			}
		})
	}
	var r apptest.Response
	eventually(t, "there is no more room for queries", func() bool {
		r = root.Do(list, nil, "X-Request-Timeout", "50ms")
		return r.Code() == "OVERLOADED"
	})
	if r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") != "1" || r.Data != nil {
		t.Errorf("refused with %d %v %v", r.Status, r.Header, r.Data)
	}
	if r := root.Do(`mutation { signOut { __typename } }`, nil); r.Code() == "OVERLOADED" {
		t.Errorf("signing out: %+v", r.Errors)
	}
	off()
	slow.Wait()
	again := admin(t, s)
	again.Must(list, nil)
}
