package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

var schema = gqlparser.MustLoadSchema(&ast.Source{Input: `
	type Query { items: [Item!]! one: Item }
	type Item { id: ID! name(upper: Boolean = false): String! slow: String! next: Item at: String }`})

// waits says it of fields named slow, and of the root.
func waits(f *ast.FieldDefinition) bool {
	return f.Name == "slow" || f.Name == "items" || f.Name == "one"
}

func parse(t *testing.T, text string) *ast.QueryDocument {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(schema, text, nil)
	if errs != nil {
		t.Fatal(errs)
	}
	return doc
}

func TestPlan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{ items { id name } }`:                                      false,
		`{ items { id slow } }`:                                      true,
		`{ items { next { next { slow } } } }`:                       true,
		`{ items { ...f } } fragment f on Item { next { id } }`:      false,
		`{ items { id ...f } } fragment f on Item { next { slow } }`: true,
		`{ items { ... on Item { ...f } ... { id } } } fragment f on Item { next { ...g } } fragment g on Item { slow }`: true,
	} {
		doc := parse(t, text)
		p := NewPlan(doc, waits)
		items := doc.Operations[0].SelectionSet
		below, _ := items[0].(*ast.Field)
		if got := p.Waits(below.SelectionSet...); got != want || !p.Waits(items...) {
			t.Errorf("%s: below waits %v, want %v; the root waits %v", text, got, want, p.Waits(items...))
		}
	}
	if !(*Plan)(nil).Waits() {
		t.Error("without a plan everything waits")
	}
}

// answering is a context as gqlgen makes it for the elements of `items`, and the errors told in it.
func answering(t *testing.T, text string, plan bool) (context.Context, *graphql.OperationContext, *ast.Field) {
	t.Helper()
	doc := parse(t, text)
	oc := &graphql.OperationContext{
		Doc: doc, Operation: doc.Operations[0],
		RecoverFunc:        func(_ context.Context, r any) error { return fmt.Errorf("panic: %v", r) },
		ResolverMiddleware: func(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) },
	}
	ctx := graphql.WithOperationContext(t.Context(), oc)
	ctx = graphql.WithResponseContext(ctx, func(ctx context.Context, err error) *gqlerror.Error {
		return gqlerror.WrapPath(graphql.GetPath(ctx), err)
	}, oc.RecoverFunc)
	if plan {
		ctx = With(ctx, NewPlan(doc, waits))
	}
	items, _ := doc.Operations[0].SelectionSet[0].(*ast.Field)
	return graphql.WithFieldContext(ctx, &graphql.FieldContext{Field: graphql.CollectedField{Field: items, Selections: items.SelectionSet}}), oc, items
}

func TestMarshalSlice(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text  string
		plan  bool
		alone bool // one element after the other
	}{
		"ready":        {`{ items { id } }`, true, true},
		"waits":        {`{ items { slow } }`, true, false},
		"without plan": {`{ items { id } }`, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, _, _ := answering(t, tc.text, tc.plan)
			const n = 8
			var mu sync.Mutex
			var order []int
			gate := sync.WaitGroup{}
			gate.Add(n)
			all := MarshalSlice(ctx, n, 0, false, func(ctx context.Context, i int) graphql.Marshaler {
				if !tc.alone { // all of them are here at the same time
					gate.Done()
					gate.Wait()
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				if i == 3 {
					panic("three")
				}
				return graphql.MarshalString(graphql.GetPath(ctx).String())
			})
			var b bytes.Buffer
			all.MarshalGQL(&b)
			want := `["items[0]","items[1]","items[2]",null,"items[4]","items[5]","items[6]","items[7]"]`
			if b.String() != want {
				t.Errorf("%s\nwant %s", b.String(), want)
			}
			if tc.alone && !reflect.DeepEqual(order, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
				t.Errorf("in the order %v", order)
			}
			if errs := graphql.GetErrors(ctx); len(errs) != 1 || errs[0].Path.String() != "items[3]" {
				t.Errorf("errors %v", errs)
			}
		})
	}
}

// A field that is read at once answers as gqlgen's own way does, and what is wrong with one is told with its path.
func TestReadField(t *testing.T) {
	t.Parallel()
	type row struct {
		name    string
		read    func(ctx context.Context) (any, error)
		nonNull bool
		want    string
		err     string
	}
	text := func(v any) func(context.Context) (any, error) {
		return func(context.Context) (any, error) { return v, nil }
	}
	for _, tc := range []row{
		{"text", text("a \"b\""), true, `"a \"b\""`, ""},
		{"nothing", text(nil), false, `null`, ""},
		{"nothing that must be", text(nil), true, `null`, "cannot return null"},
		{"error", func(context.Context) (any, error) { return nil, errors.New("bad") }, false, `null`, "bad"},
		{"another type", text(5), false, `null`, "unexpected type"},
	} {
		for _, arg := range []string{`{ items { name } }`, `{ items { id } }`} {
			ctx, oc, items := answering(t, arg, true)
			leaf, _ := items.SelectionSet[0].(*ast.Field)
			got := ReadField(ctx, oc, graphql.CollectedField{Field: leaf},
				func(_ context.Context, f graphql.CollectedField) (*graphql.FieldContext, error) {
					return graphql.NewScalarFieldContext("Item", f, false, false, "String")
				}, tc.read, nil,
				func(_ context.Context, _ ast.SelectionSet, v string) graphql.Marshaler {
					return graphql.MarshalString(v)
				}, true, tc.nonNull)
			var b bytes.Buffer
			got.MarshalGQL(&b)
			errs := graphql.GetErrors(ctx)
			if b.String() != tc.want || (tc.err == "") != (len(errs) == 0) {
				t.Errorf("%s of %s: %s, %v", tc.name, arg, b.String(), errs)
			}
			if len(errs) > 0 && (!strings.Contains(errs[0].Error(), tc.err) || errs[0].Path.String() != "items."+leaf.Alias) {
				t.Errorf("%s of %s: %v at %s", tc.name, arg, errs[0], errs[0].Path)
			}
		}
	}
}

// A field with arguments has its context even if none is given: their defaults are there.
func TestReadFieldWithArguments(t *testing.T) {
	t.Parallel()
	ctx, oc, items := answering(t, `{ items { name } }`, true)
	leaf, _ := items.SelectionSet[0].(*ast.Field)
	got := ReadField(ctx, oc, graphql.CollectedField{Field: leaf},
		func(_ context.Context, f graphql.CollectedField) (*graphql.FieldContext, error) {
			return &graphql.FieldContext{Object: "Item", Field: f, Args: map[string]any{"upper": false}}, nil
		},
		func(ctx context.Context) (any, error) {
			return fmt.Sprint(graphql.GetFieldContext(ctx).Args["upper"]), nil
		}, nil,
		func(_ context.Context, _ ast.SelectionSet, v string) graphql.Marshaler {
			return graphql.MarshalString(v)
		}, true, true)
	var b bytes.Buffer
	if got.MarshalGQL(&b); b.String() != `"false"` {
		t.Error(b.String())
	}
}

func TestSimple(t *testing.T) {
	t.Parallel()
	if !simple[string]() || !simple[time.Time]() || !simple[int64]() || simple[float64]() || simple[[]string]() || simple[*string]() {
		t.Error("of texts, times, whole numbers and truth values alone")
	}
	if !empty(time.Time{}) || !empty(nil) || empty("") || empty(time.Unix(1, 0)) {
		t.Error("empty are no value and no time")
	}
}

func TestFieldSet(t *testing.T) {
	t.Parallel()
	field := func(alias string) graphql.CollectedField {
		return graphql.CollectedField{Field: &ast.Field{Alias: alias, Name: alias}}
	}
	for _, n := range []int{0, 1, 5, fewFields + 1, 60} {
		var fields []graphql.CollectedField
		var want []string
		for i := range n {
			fields = append(fields, field(fmt.Sprint("f", i)))
			want = append(want, fmt.Sprintf(`"f%d":%d`, i, i))
		}
		if n > 0 {
			fields = append(fields, field("f0")) // from a fragment on another type
		}
		s := NewFieldSet(fields)
		for i := range fields {
			s.Values[i] = graphql.MarshalInt(i)
		}
		var direct, through bytes.Buffer
		s.MarshalGQL(&direct)
		s.MarshalGQL(struct{ io.Writer }{&through}) // which takes no single bytes
		if text := "{" + strings.Join(want, ",") + "}"; direct.String() != text || through.String() != text {
			t.Errorf("%d fields: %s and %s", n, direct.String(), through.String())
		}
	}
}

// Fields that wait are computed at the same time, and the others beside them; a null that must not be makes the object invalid.
func TestDispatch(t *testing.T) {
	t.Parallel()
	ctx, oc, items := answering(t, `{ items { a: slow b: slow id at } }`, true)
	var fields []graphql.CollectedField
	for _, sel := range items.SelectionSet {
		f, _ := sel.(*ast.Field)
		fields = append(fields, graphql.CollectedField{Field: f})
	}
	s := NewFieldSet(fields)
	var both sync.WaitGroup
	both.Add(2)
	var deferred graphql.DeferredGroup
	for i := range fields {
		s.ResolveConcurrently(oc, &deferred, i, true, i != 3, func(context.Context) graphql.Marshaler {
			switch i {
			case 0, 1:
				both.Done()
				both.Wait()
			case 2:
				return graphql.Null
			case 3:
				panic("of a field that may be null")
			}
			return graphql.MarshalInt(i)
		})
	}
	s.Dispatch(ctx)
	var b bytes.Buffer
	if s.MarshalGQL(&b); b.String() != `{"a":0,"b":1,"id":null,"at":null}` || s.Invalids != 1 || len(graphql.GetErrors(ctx)) != 1 {
		t.Errorf("%s, %d invalid, %v", b.String(), s.Invalids, graphql.GetErrors(ctx))
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	ctx, _, _ := answering(t, `{ items { id } }`, true)
	for range 2 {
		if got := Write(ctx, graphql.MarshalString(strings.Repeat("x", 5000))); got.Len() != 5002 {
			t.Errorf("%d bytes", got.Len())
		}
	}
	if got := planOf(ctx).size.Load(); got != 5002 {
		t.Errorf("%d bytes remembered", got)
	}
	if got := Write(t.Context(), graphql.Null).String(); got != "null" {
		t.Error(got)
	}
}
