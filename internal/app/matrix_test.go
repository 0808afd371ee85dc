package app_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/internal/app/apptest"
	bookschema "github.com/backendbook/backendbook/schema"
)

// rootField is a field of the root with who may use it, as the schema says.
type rootField struct {
	kind       string // query, mutation or subscription
	name       string
	rule       string
	permission string
	document   string // an operation that selects it, with a value for every required argument
	variables  map[string]any
}

// rootFields lists every field of the schema's roots, so that a new one is tested like the others from its first day.
func rootFields(t *testing.T) []rootField {
	t.Helper()
	schema := parsed(t)
	var all []rootField
	for kind, root := range map[string]*ast.Definition{"query": schema.Query, "mutation": schema.Mutation, "subscription": schema.Subscription} {
		for _, f := range root.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			r := rootField{kind: kind, name: f.Name, variables: map[string]any{}}
			for _, arg := range f.Directives.ForName("access").Arguments {
				switch arg.Name {
				case "rule":
					r.rule = arg.Value.Raw
				case "permission":
					r.permission = arg.Value.Raw
				}
			}
			r.document = r.operation(schema, f)
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b rootField) int { return strings.Compare(a.kind+a.name, b.kind+b.name) })
	return all
}

func parsed(t *testing.T) *ast.Schema {
	t.Helper()
	sdl, err := bookschema.SDL()
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema", Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// operation writes the document and fills the variables.
func (r rootField) operation(schema *ast.Schema, f *ast.FieldDefinition) string {
	var params, args []string
	for _, a := range f.Arguments {
		if a.Type.NonNull && a.DefaultValue == nil {
			params = append(params, "$"+a.Name+": "+a.Type.String())
			args = append(args, a.Name+": $"+a.Name)
			r.variables[a.Name] = sample(schema, a.Type)
		}
	}
	head, field := "", f.Name
	if len(args) > 0 {
		head, field = "("+strings.Join(params, ", ")+")", f.Name+"("+strings.Join(args, ", ")+")"
	}
	if schema.Types[f.Type.Name()].IsCompositeType() {
		field += " { __typename }"
	}
	return r.kind + head + " { " + field + " }"
}

// sample is a value of a type that passes validation, so that a refusal is about who asks.
func sample(schema *ast.Schema, typ *ast.Type) any {
	if typ.Elem != nil {
		return []any{sample(schema, typ.Elem)}
	}
	def := schema.Types[typ.Name()]
	switch def.Kind { //nolint:exhaustive // the rest are scalars: nothing else can be given
	case ast.Enum:
		return def.EnumValues[0].Name
	case ast.InputObject:
		in := map[string]any{}
		for i, f := range def.Fields {
			one := i == 0 && def.Directives.ForName("oneOf") != nil
			if one || f.Type.NonNull && f.DefaultValue == nil {
				in[f.Name] = sample(schema, f.Type)
			}
		}
		return in
	default:
		return map[string]any{
			"Int": 1, "ID": "user:x", "JSON": map[string]any{}, "JSONSchema": map[string]any{}, "Boolean": true, "String": "text",
			"Time": "2026-01-02T03:04:05Z", "Float": 1.5,
		}[typ.Name()]
	}
}

// TestAnonymousMatrix calls every root field without a session: a field that is not meant to be public must say
// UNAUTHENTICATED. A new public field is refused here until somebody has thought about it.
func TestAnonymousMatrix(t *testing.T) {
	t.Parallel()
	public := []string{
		"node", "nodes", "me", "can", "plans", "features", "addons", "authSettings", "mailbox",
		"register", "verifyEmail", "resendVerification", "signIn", "challenge", "completeSignIn", "requestSignInMail", "signInWithMail",
		"beginPasskeySignIn", "signInWithPasskey", "signInAnonymously", "beginProvider", "signOut", "requestPasswordReset", "resetPassword",
		"refreshSession", "sessionData", "setSessionData", "removeSessionData", "takeFlashMessages",
	}
	s := apptest.Start(t, apptest.Setup{})
	nobody := s.Browser()
	checked := 0
	for _, f := range rootFields(t) {
		if (f.rule == "PUBLIC") != slices.Contains(public, f.name) {
			t.Errorf("%s has the rule %s", f.name, f.rule)
		}
		if f.rule == "PUBLIC" || f.kind == "subscription" {
			continue
		}
		r := nobody.Do(f.document, f.variables)
		if checked++; r.Code() != "UNAUTHENTICATED" {
			t.Errorf("%s for nobody: %q %v", f.name, r.Code(), r.Data)
		}
	}
	if checked < 50 {
		t.Errorf("only %d fields were checked", checked)
	}
}
