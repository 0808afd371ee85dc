package ticket

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/token"
)

func TestReq15OnlyHashesAreStored(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	doc := n.stored(t, made.ID)
	f, _ := token.Parse(flowPrefix, made.Flow)
	l, _ := token.Parse(linkPrefix, made.Link)
	for field, want := range map[string][]byte{"flowHash": f[:], "linkHash": l[:], "codeHash": codeDigest(made.Flow, made.Code)} {
		if _, got := doc.Lookup(field).Binary(); !bytes.Equal(got, want) {
			t.Errorf("%s is %x, want %x", field, got, want)
		}
	}
	for name, secret := range map[string]string{"flow": made.Flow[4:], "link": made.Link[4:], "code": made.Code} {
		if strings.Contains(string(doc), secret) {
			t.Errorf("the document holds the %s", name)
		}
	}
	bare := n.stored(t, n.issue(t, request(false)).ID)
	for _, field := range []string{"linkHash", "codeHash", "tries"} {
		if _, err := bare.LookupErr(field); err == nil {
			t.Errorf("a ticket that was not mailed has %s", field)
		}
	}
}

func TestNoAnswerIsNoRefusal(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err1 := n.Issue(ctx, request(true))
	_, err2 := n.Peek(ctx, reset, made.Flow)
	_, err3 := n.Verify(ctx, reset, Proof{Link: made.Link})
	_, err4 := n.Verify(ctx, reset, Proof{Flow: made.Flow, Code: made.Code})
	err5 := n.Spend(ctx, made.Ticket)
	_, err6 := n.Renew(ctx, reset, made.Flow)
	err7 := n.Amend(ctx, made.Ticket, nil)
	_, err8 := n.Void(ctx, "ada")
	_, err9 := n.Of(ctx, "ada")
	_, err10 := n.List(ctx, reset, page.Args{})
	err11 := n.Delete(ctx, reset, made.ID)
	_, err12 := n.Get(ctx, reset, made.ID)
	for i, err := range []error{err1, err2, err3, err4, err5, err6, err7, err8, err9, err10, err11, err12} {
		if !errors.Is(err, fault.ErrCanceled) {
			t.Errorf("call %d = %v, want CANCELED", i+1, err)
		}
	}
	if n.count(t) != 1 || n.tries(t, made.ID) != Tries {
		t.Error("something was done for a caller who had left")
	}
}

func TestCosts(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	made := n.issue(t, request(true))
	for _, tc := range []struct {
		name, command string
		call          func(ctx context.Context) error
	}{
		{"Issue", "insert", func(ctx context.Context) error { _, err := n.Issue(ctx, request(true)); return err }},
		{"Peek", "find", func(ctx context.Context) error { _, err := n.Peek(ctx, reset, made.Flow); return err }},
		{"Verify by link", "find", func(ctx context.Context) error { _, err := n.Verify(ctx, reset, Proof{Link: made.Link}); return err }},
		{"Verify by code", "findAndModify", func(ctx context.Context) error {
			_, err := n.Verify(ctx, reset, Proof{Flow: made.Flow, Code: made.Code})
			return err
		}},
		{"Renew", "findAndModify", func(ctx context.Context) error { _, err := n.Renew(ctx, reset, made.Flow); return err }},
		{"malformed", "", func(ctx context.Context) error {
			_, err := n.Verify(ctx, reset, Proof{Flow: made.Flow, Code: "12345"})
			if !errors.Is(err, ErrInvalid) {
				return err
			}
			return nil
		}},
	} {
		ctx, count := store.WithCounter(t.Context())
		if err := tc.call(ctx); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		want := 1
		if tc.command == "" {
			want = 0
		}
		if count.Total() != want || count.Count(tc.command) != want {
			t.Errorf("%s took %d commands, %d of them %s", tc.name, count.Total(), count.Count(tc.command), tc.command)
		}
	}
}

func TestCollectionsAreDeclaredOnce(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	r, err := n.db.Migrate(t.Context(), store.Plan{Collections: Collections()}, false)
	if err != nil || len(r.Created) != 0 || len(r.Warnings) != 0 {
		t.Errorf("a second Migrate() = %+v, %v", r, err)
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	n := setUp(t)
	d := digests{Flow: []byte("f"), Link: []byte("l")}
	newest := bson.D{{Key: "_id", Value: -1}}
	for name, find := range map[string]bson.D{
		"flowHash":     {{Key: "filter", Value: held(reset, t0, digests{Flow: d.Flow})}},
		"linkHash":     {{Key: "filter", Value: held(reset, t0, digests{Link: d.Link})}},
		"subject_kind": {{Key: "filter", Value: append(ofSubject("ada", []Kind{reset, verify}), live(t0))}, {Key: "sort", Value: newest}},
		"kind_newest":  {{Key: "filter", Value: bson.D{store.Eq("kind", reset), live(t0)}}, {Key: "sort", Value: newest}},
	} {
		raw, err := n.db.Database().RunCommand(t.Context(), bson.D{
			{Key: "explain", Value: append(bson.D{{Key: "find", Value: collection}}, find...)},
		}).Raw()
		if err != nil {
			t.Fatal(err)
		}
		plan := raw.Lookup("queryPlanner", "winningPlan").String()
		if !strings.Contains(plan, `"indexName": "`+name+`"`) && !strings.Contains(plan, `"indexName":"`+name+`"`) {
			t.Errorf("%s is not used: %s", name, plan)
		}
		if strings.Contains(plan, `"SORT"`) {
			t.Errorf("%s: sorted in memory: %s", name, plan)
		}
	}
}
