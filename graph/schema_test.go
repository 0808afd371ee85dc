package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/account"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/presence"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/registry"
	"github.com/backendbook/backendbook/internal/reporting"
	"github.com/backendbook/backendbook/internal/topic"
)

// Every root field states who may use it, and every permission it names exists.
func TestAccessOfTheSchema(t *testing.T) {
	t.Parallel()
	catalogue := map[string]string{}
	for _, of := range []map[string]string{
		account.Permissions(), analytics.Permissions(), plan.Permissions(), rbac.Permissions(), registry.Permissions(), reporting.Permissions(),
		topic.Permissions(), presence.Permissions(), Permissions(),
	} {
		maps.Copy(catalogue, of)
	}
	if err := CheckAccess(plainServer(t, Config{}).Schema(), rbac.Keys(catalogue)); err != nil {
		t.Error(err)
	}
}

func TestCheckAccess(t *testing.T) {
	t.Parallel()
	const base = `
		directive @access(rule: AccessRule!, permission: String) on FIELD_DEFINITION
		enum AccessRule { PUBLIC USER PERMISSION }
	`
	catalogue := map[string]string{"a.b.read": "reads"}
	for field, want := range map[string]string{
		`x: Int @access(rule: PUBLIC)`:                             "",
		`x: Int @access(rule: USER)`:                               "",
		`x: Int @access(rule: PERMISSION, permission: "a.b.read")`: "",
		`x: Int`:                           "Query.x says nothing about @access",
		`x: Int @access(rule: PERMISSION)`: "Query.x must name a permission",
		`x: Int @access(rule: USER, permission: "a.b.read")`:        "Query.x must name a permission",
		`x: Int @access(rule: PERMISSION, permission: "a.b.write")`: `x needs the permission "a.b.write", which does not exist`,
	} {
		err := CheckAccess(gqlparser.MustLoadSchema(&ast.Source{Input: base + "type Query { " + field + " }"}), catalogue)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", field, err, want)
		}
	}
	err := CheckAccess(gqlparser.MustLoadSchema(&ast.Source{Input: base + `
		type Query { x: Int @access(rule: PUBLIC) }
		type Mutation { y: Int }
		type Subscription { z: Int }
	`}), catalogue)
	if err == nil || !strings.Contains(err.Error(), "Mutation.y") || !strings.Contains(err.Error(), "Subscription.z") {
		t.Errorf("%v", err)
	}
}

// own are the types of our schema: not those of introspection, nor scalars of GraphQL itself.
func own(schema *ast.Schema) []*ast.Definition {
	var all []*ast.Definition
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		if d := schema.Types[name]; !d.BuiltIn && !strings.HasPrefix(name, "__") {
			all = append(all, d)
		}
	}
	return all
}

// Everything clients see is described.
func TestSchemaIsDescribed(t *testing.T) {
	t.Parallel()
	for _, d := range own(plainServer(t, Config{}).schema) {
		if strings.TrimSpace(d.Description) == "" {
			t.Errorf("%s has no description", d.Name)
		}
		for _, f := range d.Fields {
			if strings.TrimSpace(f.Description) == "" && !strings.HasPrefix(f.Name, "__") {
				t.Errorf("%s.%s has no description", d.Name, f.Name)
			}
			for _, a := range f.Arguments {
				if strings.TrimSpace(a.Description) == "" && !strings.HasPrefix(f.Name, "__") {
					t.Errorf("%s.%s: %s has no description", d.Name, f.Name, a.Name)
				}
			}
		}
		for _, v := range d.EnumValues {
			if strings.TrimSpace(v.Description) == "" {
				t.Errorf("%s.%s has no description", d.Name, v.Name)
			}
		}
	}
}

// The conventions clients and their caches rely on.
func TestSchemaConventions(t *testing.T) {
	t.Parallel()
	schema := plainServer(t, Config{}).schema
	for _, d := range own(schema) {
		for _, f := range d.Fields {
			at := d.Name + "." + f.Name
			if e := f.Type.Elem; e != nil && !e.NonNull && at != "Query.nodes" { // there a null is the answer
				t.Errorf("%s: items of a list are not null", at)
			}
			if dep := f.Directives.ForName("deprecated"); dep != nil && dep.Arguments.ForName("reason") == nil {
				t.Errorf("%s is deprecated without naming its successor", at)
			}
			if strings.HasSuffix(f.Type.Name(), "Connection") && f.Type.Elem == nil {
				for _, arg := range []string{"first: Int", "after: String", "last: Int", "before: String"} {
					name, typ, _ := strings.Cut(arg, ": ")
					if a := f.Arguments.ForName(name); a == nil || a.Type.String() != typ {
						t.Errorf("%s: a connection takes %s", at, arg)
					}
				}
			}
		}
		switch {
		case strings.HasSuffix(d.Name, "Connection"):
			checkFields(t, d, "edges: ["+strings.TrimSuffix(d.Name, "Connection")+"Edge!]!", "nodes", "pageInfo: PageInfo!")
			node := schema.Types[d.Fields.ForName("edges").Type.Name()].Fields.ForName("node").Type
			if nodes := d.Fields.ForName("nodes").Type; nodes.String() != "["+node.String()+"]!" || !node.NonNull {
				t.Errorf("%s: nodes are %s, those of the edges %s", d.Name, nodes, node)
			}
		case strings.HasSuffix(d.Name, "Edge"):
			checkFields(t, d, "cursor: String!", "node")
		case slices.Contains(d.Interfaces, "Node"):
			checkFields(t, d, "id: ID!")
		case d.Kind == ast.Scalar && d.Directives.ForName("specifiedBy") == nil:
			t.Errorf("%s: a scalar says by what it is specified", d.Name)
		}
	}
	for _, f := range schema.Mutation.Fields {
		title := strings.ToUpper(f.Name[:1]) + f.Name[1:]
		if f.Type.String() != title+"Payload!" {
			t.Errorf("%s answers %s, want %sPayload!", f.Name, f.Type, title)
		}
		if len(f.Arguments) > 1 || len(f.Arguments) == 1 && fmt.Sprint(f.Arguments[0].Name, f.Arguments[0].Type) != fmt.Sprint("input", title+"Input!") {
			t.Errorf("%s takes one argument, input: %sInput!", f.Name, title)
		}
	}
}

func checkFields(t *testing.T, d *ast.Definition, want ...string) {
	t.Helper()
	for _, w := range want {
		name, typ, _ := strings.Cut(w, ": ")
		if f := d.Fields.ForName(name); f == nil || typ != "" && f.Type.String() != typ {
			t.Errorf("%s has no field %s", d.Name, w)
		}
	}
}
