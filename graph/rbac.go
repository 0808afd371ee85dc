package graph

import (
	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/rbac"
	"github.com/backendbook/backendbook/internal/ref"
)

// idOf is the id that r points at if it points at an object of that type, else "", which is the id of nothing.
func idOf(typ string, r ref.Ref) string {
	if r.Type != typ {
		return ""
	}
	return r.ID
}

// toChecks are the questions of `can`.
func toChecks(in []model.CheckInput) ([]rbac.Check, error) {
	if len(in) > rbac.MaxChecks {
		return nil, fault.ErrInput.On("checks").Saying("at most %d questions can be asked at once", rbac.MaxChecks)
	}
	checks := make([]rbac.Check, len(in))
	for i, c := range in {
		checks[i].Permission = c.Permission
		if c.On != nil {
			checks[i].On = *c.On
		}
	}
	return checks, nil
}
