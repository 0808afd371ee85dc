package loader

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// services are sources over made-up objects: document d<i> belongs to user u<i>, is of type t and points at document
// d<i+1>. They count their calls by name.
type services struct {
	mu    sync.Mutex
	calls map[string]int
}

func (s *services) called(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[name]++
}

func byID[T any](s *services, name string, make func(id string) T) func(context.Context, []string) (map[string]T, error) {
	return func(_ context.Context, ids []string) (map[string]T, error) {
		s.called(name)
		got := map[string]T{}
		for _, id := range ids {
			if id != "absent" {
				got[id] = make(id)
			}
		}
		return got, nil
	}
}

func idsOf(refs []ref.Ref) []string {
	ids := make([]string, len(refs))
	for i, r := range refs {
		ids[i] = r.ID
	}
	return ids
}

func document(id string) registry.Document {
	return registry.Document{ID: id, Type: "t", Owner: ref.New(ref.User, "u"+id[1:])}
}

func (s *services) sources() Sources {
	return Sources{
		Users:        byID(s, "users", func(id string) account.User { return account.User{ID: id} }),
		Roles:        byID(s, "roles", func(id string) rbac.Role { return rbac.Role{ID: id} }),
		Plans:        byID(s, "plans", func(id string) plan.Plan { return plan.Plan{ID: id} }),
		ContentTypes: byID(s, "types", func(id string) registry.ContentType { return registry.ContentType{ID: id} }),
		Documents: func(ctx context.Context, refs []ref.Ref) (map[ref.Ref]registry.Document, error) {
			found, err := byID(s, "documents", document)(ctx, idsOf(refs))
			byRef := map[ref.Ref]registry.Document{}
			for _, d := range found {
				byRef[d.Ref()] = d
			}
			return byRef, err
		},
		References: func(ctx context.Context, refs []ref.Ref) (map[string][]registry.Reference, error) {
			return byID(s, "references", func(id string) []registry.Reference {
				n, _ := strconv.Atoi(id[1:])
				return []registry.Reference{{From: ref.New(ref.Document, id), To: ref.New(ref.Document, "d"+strconv.Itoa(n+1))}}
			})(ctx, idsOf(refs))
		},
		Targets: func(_ context.Context, refs []ref.Ref) ([]registry.Target, error) {
			s.called("targets")
			out := make([]registry.Target, len(refs))
			for i, r := range refs {
				out[i] = registry.Target{Of: r, Outcome: registry.Found, Object: document(r.ID)}
			}
			return out, nil
		},
	}
}

// follow resolves a document as gqlgen does: its fields at the same time, and the same below each reference.
func follow(ctx context.Context, t *testing.T, d registry.Document, depth int) {
	if depth == 0 {
		return
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if u, err := User(ctx, d.Owner.ID); err != nil || u.ID != d.Owner.ID {
			t.Errorf("User = %v, %v", u, err)
		}
	})
	wg.Go(func() {
		if ct, err := ContentType(ctx, d.Type); err != nil || ct.ID != d.Type {
			t.Errorf("ContentType = %v, %v", ct, err)
		}
	})
	wg.Go(func() {
		refs, err := References(ctx, d.Ref())
		if err != nil || len(refs) != 1 {
			t.Errorf("References = %v, %v", refs, err)
			return
		}
		target, err := Target(ctx, refs[0].To)
		if err != nil || target.Of != refs[0].To {
			t.Errorf("Target = %v, %v", target, err)
			return
		}
		follow(ctx, t, target.Object.(registry.Document), depth-1)
	})
	wg.Wait()
}

// The number of reads depends on the depth of the query alone.
func TestReadsDoNotDependOnTheSizeOfThePage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 20, 100} {
		s := &services{}
		ctx := With(t.Context(), s.sources())
		docs := make([]registry.Document, size)
		for i := range docs {
			docs[i] = document("d" + strconv.Itoa(1000*i)) // far apart: no reference leads to a document of the page
		}
		Saw(ctx, docs)
		var wg sync.WaitGroup
		for _, d := range docs {
			wg.Go(func() { follow(ctx, t, d, 3) })
		}
		wg.Wait()
		want := map[string]int{"users": 3, "types": 1, "references": 3, "targets": 3}
		for name, n := range want {
			if s.calls[name] != n {
				t.Errorf("page of %d: %d reads of %s, want %d", size, s.calls[name], name, n)
			}
		}
	}
}

func TestBacklinksReadTheirDocumentsTogether(t *testing.T) {
	t.Parallel()
	s := &services{}
	ctx := With(t.Context(), s.sources())
	refs := make([]registry.Reference, 50)
	for i := range refs {
		refs[i].From = ref.New(ref.Document, "d"+strconv.Itoa(i))
	}
	SawReferences(ctx, refs)
	var wg sync.WaitGroup
	for _, r := range refs {
		wg.Go(func() {
			if d, err := Document(ctx, r.From); err != nil || d.ID != r.From.ID {
				t.Errorf("Document = %v, %v", d, err)
			}
		})
	}
	wg.Wait()
	if s.calls["documents"] != 1 {
		t.Errorf("%d reads", s.calls["documents"])
	}
}

func TestAbsentIsNil(t *testing.T) {
	t.Parallel()
	ctx := With(t.Context(), (&services{}).sources())
	if u, err := User(ctx, "absent"); u != nil || err != nil {
		t.Errorf("User = %v, %v", u, err)
	}
	if r, err := Role(ctx, "absent"); r != nil || err != nil {
		t.Errorf("Role = %v, %v", r, err)
	}
	if p, err := Plan(ctx, "p1"); err != nil || p.ID != "p1" {
		t.Errorf("Plan = %v, %v", p, err)
	}
	if refs, err := References(ctx, ref.New(ref.Document, "absent")); refs == nil || len(refs) != 0 || err != nil {
		t.Errorf("References = %v, %v; want an empty list", refs, err)
	}
}

// Nothing that one operation loaded is seen by another: its actor may see other things.
func TestOperationsShareNothing(t *testing.T) {
	t.Parallel()
	s := &services{}
	for range 2 {
		if _, err := User(With(t.Context(), s.sources()), "u1"); err != nil {
			t.Fatal(err)
		}
	}
	if s.calls["users"] != 2 {
		t.Errorf("%d reads", s.calls["users"])
	}
}

func TestOutsideAnOperation(t *testing.T) {
	t.Parallel()
	if _, err := User(t.Context(), "u1"); !errors.Is(err, errNone) {
		t.Errorf("err = %v", err)
	}
	Saw(t.Context(), make([]registry.Document, 2)) // does nothing
}
