package account

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/store"
)

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
		if got, err := e.ByEmail(tc.ctx, tc.email); !errors.Is(err, tc.err) || (err == nil) != reflect.DeepEqual(got, u) {
			t.Errorf("%s: ByEmail() = %v, %v; want %v", tc.name, got, err, tc.err)
		}
	}
}

func TestEmailOf(t *testing.T) {
	t.Parallel()
	stale := fault.ErrUnavailable
	u := User{ID: "ada", Emails: []Address{{Email: "ada@example.org"}, {Email: "second@example.org"}}}
	for _, tc := range []struct {
		name  string
		authz Authorizer
		ctx   context.Context
		want  string
		err   error
	}{
		{"own", readers{}, as(t, "ada"), u.Email(), nil},
		{"reader", readers{"bob"}, as(t, "bob"), u.Email(), nil},
		{"others", readers{}, as(t, "eve"), "", nil},
		{"nobody", readers{}, t.Context(), "", nil},
		{"nobody, and the user has no id", readers{}, t.Context(), "", nil},
		{"policy not known", refuses{stale}, as(t, "bob"), "", stale},
		{"own, policy not known", refuses{stale}, as(t, "ada"), u.Email(), nil},
	} {
		s := &Service{authz: tc.authz}
		if got, err := s.EmailOf(tc.ctx, u); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: EmailOf() = %q, %v; want %q, %v", tc.name, got, err, tc.want, tc.err)
		}
		if ok, err := s.MaySee(tc.ctx, u); ok != (tc.want != "") || !errors.Is(err, tc.err) {
			t.Errorf("%s: MaySee() = %v, %v", tc.name, ok, err)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{}, "reader")
	for _, n := range []string{"émile", "Zoe", "ada", "Bob"} {
		if _, err := e.register(t.Context(), CreateCmd{Email: n[len(n)-3:] + "@example.org", Name: n}); err != nil {
			t.Fatal(err)
		}
	}
	e.guest(t)
	for _, n := range []string{"Robot", "Android"} {
		e.robot(t, n)
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
	if robots, err := e.Services(ctx, page.Args{}); err != nil || names(robots) != "Android Robot" {
		t.Errorf("Services() = %s, %v", names(robots), err)
	}
	if _, err := e.Services(as(t, "eve"), page.Args{}); !errors.Is(err, fault.ErrForbidden) {
		t.Errorf("Services() = %v", err)
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

func TestByIDAndUsername(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	u, err := e.register(t.Context(), CreateCmd{Email: "ada@example.org", Name: "Ada", Username: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.ByID(t.Context(), u.ID); err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("ByID() = %#v, %v", got, err)
	}
	if got, err := e.ByID(t.Context(), "nobody"); !errors.Is(err, fault.ErrNotFound) || got.ID != "" {
		t.Errorf("ByID() = %v, %v", got, err)
	}
	if got, found, err := e.ByUsername(t.Context(), "ＡDA"); !found || err != nil || !reflect.DeepEqual(got, u) {
		t.Errorf("ByUsername() = %#v, %v, %v", got, found, err)
	}
	for _, name := range []string{"eve", "", "ada@example.org", `{"$gt":""}`} {
		if got, found, err := e.ByUsername(t.Context(), name); found || err != nil || got.ID != "" {
			t.Errorf("ByUsername(%q) = %v, %v, %v", name, got, found, err)
		}
	}
}

// The partial indexes must serve the exact lookups, or each sign-in reads all users.
func TestLookupsUseTheirIndexes(t *testing.T) {
	t.Parallel()
	e := setUp(t, Config{})
	for i := range 20 {
		c := CreateCmd{Email: fmt.Sprintf("u%d@example.org", i), Name: "U", Username: fmt.Sprintf("user%d", i)}
		if _, err := e.register(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	e.due(t, 3)
	for name, filter := range map[string]bson.D{
		"address":  {store.Eq(fieldEmail, "u7@example.org")},
		"username": {store.Eq(fieldUsername, "user7")},
		"due":      isDue(t0),
	} {
		var plan struct {
			Stats struct {
				Keys int `bson:"totalKeysExamined"`
				Docs int `bson:"totalDocsExamined"`
			} `bson:"executionStats"`
		}
		find := bson.D{{Key: "find", Value: collection}, {Key: "filter", Value: filter}}
		err := e.db.Database().RunCommand(t.Context(), bson.D{{Key: "explain", Value: find}, {Key: "verbosity", Value: "executionStats"}}).Decode(&plan)
		if want := map[string]int{"due": 3}[name]; err != nil || plan.Stats.Docs != max(want, 1) || plan.Stats.Keys > plan.Stats.Docs {
			t.Errorf("%s: %+v, %v", name, plan, err)
		}
	}
}

// due schedules the deletion of n users for now.
func (e env) due(t testing.TB, n int) {
	t.Helper()
	p, err := e.List(system(t), page.Args{First: &n})
	if err != nil || len(p.Items) != n {
		t.Fatalf("%d users, %v", len(p.Items), err)
	}
	for _, u := range p.Items {
		if _, err := e.ScheduleDeletion(t.Context(), u.ID, e.clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
}
