package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
	"github.com/backendbook/backendbook/internal/store/storetest"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		cmd  CreateCmd
		err  error
	}{
		{"good", CreateCmd{" Ada@Example.org ", " Ada ", goodPassword}, nil},
		{"taken", CreateCmd{"bob@example.org", "Bob", goodPassword}, ErrEmailTaken},
		{"taken in another case", CreateCmd{"BOB@example.ORG", "Bob", goodPassword}, ErrEmailTaken},
		{"taken by a look-alike", CreateCmd{"ｂｏｂ@example.org", "Bob", goodPassword}, ErrEmailTaken},
		{"no address", CreateCmd{"bob", "Bob", goodPassword}, ErrEmailInvalid},
		{"weak password", CreateCmd{"ada@example.org", "Ada", "password1"}, ErrPasswordWeak},
		{"no name", CreateCmd{"ada@example.org", " ", goodPassword}, fault.ErrInput},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			e := setUp(t, Config{})
			e.create(t, "bob@example.org")
			u, err := e.Create(t.Context(), tc.cmd)
			if !errors.Is(err, tc.err) {
				t.Fatalf("Create(%+v) = %v, %v; want %v", tc.cmd, u, err, tc.err)
			}
			users, events := storetest.Count(t, e.db, collection), e.events(t)
			if err != nil {
				if users != 1 || len(events) != 1 {
					t.Errorf("refused, and there are %d users and %d events", users, len(events))
				}
				if f := fault.From(err); !strings.HasPrefix(f.Field, "input.") || f.Err != nil {
					t.Errorf("blames %q because of %v", f.Field, f.Err)
				}
				return
			}
			want := User{ID: u.ID, Email: "Ada@Example.org", EmailKey: "ada@example.org", Name: "Ada", NameKey: "ada", CreatedAt: t0}
			if u != want || u.ID == "" || users != 2 {
				t.Errorf("Create() = %#v, want %#v", u, want)
			}
			last := events[len(events)-1]
			if len(events) != 2 || last.Kind != "account.user.created" || last.On != u.Ref() || last.At != t0 {
				t.Errorf("events: %+v", events)
			}
			if got, _ := e.ByIDs(t.Context(), []string{u.ID, "nobody"}); len(got) != 1 || got[u.ID] != want {
				t.Errorf("ByIDs() = %v", got)
			}
		})
	}
}

// Requirement 4: uniqueness by index, not by looking first.

func TestFiftyRegistrationsOfOneAddress(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	spellings := []string{"ada@example.org", "ADA@example.org", "ａｄａ@example.org", "Ada@Example.Org"}
	var made, taken atomic.Int32
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			_, err := e.Create(t.Context(), CreateCmd{spellings[i%len(spellings)], "Ada", goodPassword})
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, ErrEmailTaken):
				taken.Add(1)
			default:
				t.Errorf("Create() = %v", err)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 || taken.Load() != 49 {
		t.Errorf("%d made, %d refused", made.Load(), taken.Load())
	}
	if u, ev := storetest.Count(t, e.db, collection), len(e.events(t)); u != 1 || ev != 1 {
		t.Errorf("%d users, %d events", u, ev)
	}
}

func TestInsertIsAllOrNothing(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	d, err := e.Prepare(t.Context(), CreateCmd{"ada@example.org", "Ada", goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	if n := storetest.Count(t, e.db, collection); n != 0 {
		t.Errorf("Prepare stored %d users", n)
	}
	after := errors.New("the flow goes wrong later")
	err = e.db.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := e.Insert(ctx, d); err != nil {
			return err
		}
		return after
	})
	if !errors.Is(err, after) || storetest.Count(t, e.db, collection) != 0 || len(e.events(t)) != 0 {
		t.Errorf("the transaction ended with %v and left something", err)
	}
	if _, err := e.Insert(t.Context(), d); err != nil {
		t.Errorf("a draft cannot be used again: %v", err)
	}
}

// Requirement 2: an unknown address costs what a known one does: one read, one hash of the same cost.

// Requirement 9.

func TestByEmail(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "reader")
	u := e.create(t, "ada@example.org")
	for _, tc := range []struct {
		name, email string
		ctx         context.Context
		err         error
	}{
		{"operator", "ADA@example.org", system(t), nil},
		{"reader", "ada@example.org", as(t, "reader"), nil},
		{"unknown", "eve@example.org", system(t), fault.ErrNotFound},
		{"no address", "ada", system(t), ErrEmailInvalid},
		{"others", "ada@example.org", as(t, "eve"), fault.ErrForbidden},
		{"nobody", "ada@example.org", t.Context(), fault.ErrUnauthenticated},
	} {
		if got, err := e.ByEmail(tc.ctx, tc.email); !errors.Is(err, tc.err) || (err == nil) != (got == u) {
			t.Errorf("%s: ByEmail() = %v, %v; want %v", tc.name, got, err, tc.err)
		}
	}
}

func TestEmailOf(t *testing.T) {
	t.Parallel()
	stale := fault.ErrUnavailable
	u := User{ID: "ada", Email: "ada@example.org"}
	for _, tc := range []struct {
		name  string
		authz Authorizer
		ctx   context.Context
		want  string
		err   error
	}{
		{"own", readers{}, as(t, "ada"), u.Email, nil},
		{"reader", readers{"bob"}, as(t, "bob"), u.Email, nil},
		{"others", readers{}, as(t, "eve"), "", nil},
		{"nobody", readers{}, t.Context(), "", nil},
		{"nobody, and the user has no id", readers{}, t.Context(), "", nil},
		{"policy not known", refuses{stale}, as(t, "bob"), "", stale},
		{"own, policy not known", refuses{stale}, as(t, "ada"), u.Email, nil},
	} {
		s := &Service{authz: tc.authz}
		if got, err := s.EmailOf(tc.ctx, u); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: EmailOf() = %q, %v; want %q, %v", tc.name, got, err, tc.want, tc.err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "reader")
	for _, n := range []string{"émile", "Zoe", "ada", "Bob"} {
		if _, err := e.Create(t.Context(), CreateCmd{n[len(n)-3:] + "@example.org", n, goodPassword}); err != nil {
			t.Fatal(err)
		}
	}
	two := 2
	ctx, count := store.WithCounter(as(t, "reader"))
	first, err := e.List(ctx, page.Args{First: &two})
	if err != nil || names(first) != "ada Bob" || !first.HasNext || first.HasPrevious || count.Total() != 1 {
		t.Fatalf("first page: %s %+v, %v, %d commands", names(first), first, err, count.Total())
	}
	second, err := e.List(ctx, page.Args{First: &two, After: &first.Cursors[1]})
	if err != nil || names(second) != "Zoe émile" || second.HasNext {
		t.Errorf("second page: %s %+v, %v", names(second), second, err)
	}
	last, err := e.List(ctx, page.Args{Last: &two, Before: &second.Cursors[0]})
	if err != nil || names(last) != "ada Bob" {
		t.Errorf("page before: %s, %v", names(last), err)
	}
	bad := "%%%"
	if _, err := e.List(ctx, page.Args{After: &bad}); !errors.Is(err, page.ErrCursor) {
		t.Errorf("List() with a bad cursor = %v", err)
	}
	if _, err := e.List(as(t, "eve"), page.Args{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("List() = %v", err)
	}
	if _, err := e.List(t.Context(), page.Args{}); !errors.Is(err, fault.ErrUnauthenticated) {
		t.Errorf("List() = %v", err)
	}
}

func names(p page.Page[User]) string {
	var all []string
	for _, u := range p.Items {
		all = append(all, u.Name)
	}
	return strings.Join(all, " ")
}

// Requirement 40: whatever is printed, encoded or logged, there is no hash in it, and no password.

// The partial index must serve the exact lookup, or each sign-in reads all users.

func TestLookupUsesTheIndex(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	var plan struct {
		Stats struct {
			Keys int `bson:"totalKeysExamined"`
			Docs int `bson:"totalDocsExamined"`
		} `bson:"executionStats"`
	}
	for i := range 20 {
		e.create(t, fmt.Sprintf("u%d@example.org", i))
	}
	find := bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: bson.D{{Key: "emailKey", Value: bson.D{{Key: "$eq", Value: "u7@example.org"}}}}}}
	err := e.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"}}).Decode(&plan)
	if err != nil || plan.Stats.Keys != 1 || plan.Stats.Docs != 1 {
		t.Errorf("explain: %+v, %v", plan, err)
	}
}
