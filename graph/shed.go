package graph

import (
	"net/http"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/model"
	"github.com/backendbook/backendbook/internal/fault"
)

// ErrOverloaded tells of an operation that was not begun, as this node has too much to do. It may be sent again, to another node or later.
var ErrOverloaded = fault.Define(fault.Unavailable, "OVERLOADED", "this server has as much to do as it can; try again in a moment")

// urgent are the fields, besides the mutations for everybody by which people sign in and out, that take away what somebody must
// not have any longer: with them they are the last to be refused.
var urgent = map[string]bool{
	"signOutUser": true, "disableUser": true, "endSession": true, "endOtherSessions": true, "stopImpersonating": true, "forgetDevice": true,
	"revokeAccessKey": true, "revokeGrant": true, "revokeObjectGrant": true,
}

// load bounds the queries and mutations that are at work at once on this node. Who comes when there is no room is refused at
// once, so that nothing waits in a queue which nobody sees; and the less urgent are refused first.
type load struct {
	most int64
	busy atomic.Int64
}

// enter takes a place. Queries have three quarters of them, mutations nine tenths, what is urgent all.
func (l *load) enter(most int64) bool {
	if l.busy.Add(1) <= most {
		return true
	}
	l.busy.Add(-1)
	return false
}

// placesFor is how many places an operation may find taken.
func (s *Server) placesFor(op *graphql.OperationContext) int64 {
	if op.Operation.Operation == ast.Query {
		return s.load.most * 3 / 4
	}
	for _, f := range rootFields(op) {
		if !urgent[f.Name] && s.access[f.Definition].rule != model.AccessRulePublic {
			return s.load.most * 9 / 10
		}
	}
	return s.load.most
}

// admit begins an operation, unless this node cannot take it; leave ends it.
func (s *Server) admit(op *graphql.OperationContext) (leave func(), err error) {
	if s.cfg.Down != nil {
		if err := s.cfg.Down(); err != nil {
			return nil, err
		}
	}
	if !s.load.enter(s.placesFor(op)) {
		return nil, ErrOverloaded
	}
	return func() { s.load.busy.Add(-1) }, nil
}

// statusOf is the HTTP status of an answer: 503, with word when to come again, for what was not admitted.
func statusOf(w http.ResponseWriter, resp *graphql.Response) int {
	if resp.Data == nil && len(resp.Errors) == 1 {
		if fault.From(resp.Errors[0]).Kind == fault.Unavailable {
			w.Header().Set("Retry-After", "1")
			return http.StatusServiceUnavailable
		}
	}
	return http.StatusOK
}
