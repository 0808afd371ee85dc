package graph

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/session"
)

// stale is a [Prover] for whom no proof is fresh; it notes what was asked for.
type stale struct{ asked *[]session.Need }

func (s stale) RequireFresh(_ context.Context, n session.Need) (session.Session, error) {
	*s.asked = append(*s.asked, n)
	return session.Session{}, session.ErrReauth
}

// rootFieldsOf are the fields of the root types by name.
func rootFieldsOf(s *Server) map[string]*ast.FieldDefinition {
	all := map[string]*ast.FieldDefinition{}
	for _, root := range []*ast.Definition{s.schema.Query, s.schema.Mutation, s.schema.Subscription} {
		for _, f := range root.Fields {
			all[f.Name] = f
		}
	}
	return all
}

// TestReq70FreshIsDeclared: what a service refuses with REAUTH_REQUIRED says so in its description and carries @fresh, and the gate
// asks for it; the system is not asked.
func TestReq70FreshIsDeclared(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	var asked []session.Need
	s.proofs, s.rights = stale{&asked}, everything{}
	sensitive := 0
	for name, f := range rootFieldsOf(s) {
		told := strings.Contains(f.Description, "REAUTH_REQUIRED")
		fresh := f.Directives.ForName("fresh") != nil
		// beginProvider wants a proof for one of the two things it does, and elevate is how one gives it.
		if told != fresh && name != "beginProvider" && name != "elevate" {
			t.Errorf("%s tells of REAUTH_REQUIRED: %t, and has @fresh: %t", name, told, fresh)
		}
		if !fresh {
			continue
		}
		sensitive++
		asked = nil
		ctx := actor.With(t.Context(), actor.Actor{User: "u", Session: "s"})
		if err := s.allow(ctx, f); !errors.Is(err, session.ErrReauth) || len(asked) != 1 || asked[0].Level < session.FullProof {
			t.Errorf("%s: %v, asked for %+v", name, err, asked)
		}
		if err := s.allow(actor.With(t.Context(), actor.System()), f); err != nil {
			t.Errorf("%s for the system: %v", name, err)
		}
		if err := s.allow(t.Context(), f); !errors.Is(err, fault.ErrUnauthenticated) && s.access[f].rule == model.AccessRuleSession {
			t.Errorf("%s for nobody: %v", name, err)
		}
	}
	if sensitive < 15 {
		t.Errorf("only %d sensitive fields", sensitive)
	}
}

func TestNeedOf(t *testing.T) {
	t.Parallel()
	arg := func(name, raw string) *ast.Argument { return &ast.Argument{Name: name, Value: &ast.Value{Raw: raw}} }
	for _, tc := range []struct {
		args ast.ArgumentList
		want session.Need
	}{
		{nil, session.Need{Level: session.FullProof}},
		{ast.ArgumentList{arg("level", "ANY")}, session.Need{}},
		{ast.ArgumentList{arg("level", "TWO_FACTORS"), arg("maxAge", "60")}, session.Need{Age: time.Minute, Level: session.TwoFactors}},
	} {
		f := &ast.FieldDefinition{Directives: ast.DirectiveList{{Name: "fresh", Arguments: tc.args}}}
		if got := needOf(f); got == nil || *got != tc.want {
			t.Errorf("needOf(%v) = %+v, want %+v", tc.args, got, tc.want)
		}
	}
	if needOf(&ast.FieldDefinition{}) != nil {
		t.Error("a field without @fresh needs something")
	}
}

// TestReq71RefusedFields: whoever acts as somebody else can use no mutation that is for the user alone, and none at all when they may
// only look, but for those that end it.
func TestReq71RefusedFields(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	s.proofs, s.rights = proven{}, everything{}
	refused := 0
	for name, f := range rootFieldsOf(s) {
		a := s.access[f]
		for _, readOnly := range []bool{false, true} {
			who := actor.Actor{User: "u", Session: "s", Impersonator: "admin", ReadOnly: readOnly}
			err := s.allow(actor.With(t.Context(), who), f)
			want := a.writes && !slices.Contains(leaving, name) && (readOnly || a.rule == model.AccessRuleSession)
			if errors.Is(err, session.ErrImpersonated) != want {
				t.Errorf("%s, read only %t: %v", name, readOnly, err)
			}
			if want {
				refused++
			}
		}
	}
	if refused < 60 {
		t.Errorf("only %d refusals", refused)
	}
}
