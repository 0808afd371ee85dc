package graph

import (
	"container/list"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"github.com/backendbook/backendbook/graph/exec"
)

// document is a GraphQL document that passed everything which does not depend on who asks and with which variables. It is
// shared by all requests that send the same text and never changes.
type document struct {
	text       string
	ast        *ast.QueryDocument
	plan       *exec.Plan
	introspect bool // it asks for the schema
	trusted    bool // see Trust
	deprecated []string
	bytes      int // what it takes to keep it, about
	depth      int // levels of fields, of the deepest operation
	fields     int // of the largest operation, fragments written out

	parsing, validation graphql.TraceTiming // when it was made
}

// Memory a parsed document takes besides its text: no less than what was measured.
const (
	documentBytes = 600
	nodeBytes     = 400
)

// Prepare makes an operation of what a client sent: parse, limits, validation (all three once for each document, see
// documents), the budget of the caller's plan, choice of the operation, coercion of its variables. It authorizes nothing and executes
// nothing.
//
// The errors are presented and logged: they can be sent as they are. Codes: GRAPHQL_PARSE_FAILED,
// GRAPHQL_VALIDATION_FAILED, OPERATION_RESOLUTION_FAILURE, INTROSPECTION_DISABLED, QUERY_TOO_LARGE, QUERY_TOO_DEEP,
// QUERY_TOO_COMPLEX, QUOTA_EXCEEDED, PERSISTED_QUERY_NOT_FOUND, PERSISTED_QUERY_NOT_SUPPORTED, PERSISTED_QUERY_MISMATCH,
// DOCUMENT_UNTRUSTED, BAD_USER_INPUT for variables.
func (s *Server) Prepare(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	start := graphql.Now()
	op, errs := s.prepare(ctx, params)
	if len(errs) > 0 {
		name := params.OperationName
		if !isGraphQLName(name) { // anything may stand there: it is not for the log
			name = ""
		}
		errs = s.presentAll(withOperationName(ctx, name), errs)
		s.observe(ctx, operationInfo{name: name, root: "none", typ: "none"}, start, errs)
		return nil, errs
	}
	op.Stats.OperationStart = start
	return op, nil
}

// isGraphQLName reports whether s is a name by the grammar of GraphQL, and no longer than one needs to be.
func isGraphQLName(s string) bool {
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= maxEcho
}

func (s *Server) prepare(ctx context.Context, params *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	began := graphql.Now()
	doc, errs := s.find(ctx, params)
	if len(errs) > 0 {
		return nil, errs
	}
	if doc.introspect && !s.mayIntrospect(ctx) {
		return nil, gqlerror.List{gqlerror.Wrap(ErrIntrospection)}
	}
	op := doc.ast.Operations.ForName(params.OperationName)
	if op == nil {
		return nil, gqlerror.List{gqlerror.Wrap(ErrOperation)}
	}
	vars, err := coerceVariables(s.schema, op, params.Variables)
	if err != nil {
		return nil, gqlerror.List{gqlerror.Wrap(err)}
	}
	cost := costOf(op, vars)
	charged := cost
	if pricedOnly(params.Headers, params.Extensions) {
		charged = 0
	}
	if err := s.budget(ctx, doc.depth, cost, charged); err != nil {
		return nil, gqlerror.List{gqlerror.Wrap(err)}
	}
	stats := graphql.Stats{}
	if !doc.parsing.Start.Before(began) { // made for this request, and not found in the cache
		stats.Parsing, stats.Validation = doc.parsing, doc.validation
	}
	return &graphql.OperationContext{
		Stats:                  stats,
		RawQuery:               doc.text,
		Variables:              vars,
		OperationName:          params.OperationName,
		Doc:                    doc.ast,
		Extensions:             params.Extensions,
		Headers:                params.Headers,
		Operation:              op,
		DisableIntrospection:   !doc.introspect,
		RecoverFunc:            recovered,
		ResolverMiddleware:     resolveAsIs,
		RootResolverMiddleware: s.guard,
	}, nil
}

func resolveAsIs(ctx context.Context, next graphql.Resolver) (any, error) { return next(ctx) }

// document gives the checked document of a text.
func (s *Server) document(ctx context.Context, text string) (*document, gqlerror.List) {
	if len(text) > s.cfg.MaxDocumentBytes {
		return nil, gqlerror.List{gqlerror.Wrap(ErrTooLarge)}
	}
	key := digestOf(text)
	if d := s.trusted[key]; d != nil {
		return d, nil
	}
	if s.cfg.TrustedOnly && s.rights.RequireSome(ctx, PermExplore) != nil {
		return nil, gqlerror.List{gqlerror.Wrap(ErrUntrusted)}
	}
	if d := s.documents.get(key); d != nil {
		return d, nil
	}
	d, errs := s.parse(ctx, text)
	if len(errs) > 0 {
		return nil, errs
	}
	s.documents.put(key, d)
	return d, nil
}

func (s *Server) parse(ctx context.Context, text string) (*document, gqlerror.List) {
	parsing := graphql.TraceTiming{Start: graphql.Now()}
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: text}, s.cfg.MaxTokens)
	if err != nil {
		var syntax *gqlerror.Error
		if !errors.As(err, &syntax) {
			return nil, gqlerror.List{gqlerror.Wrap(ErrParse.Because(err))}
		}
		if strings.HasPrefix(syntax.Message, "exceeded ") { // its token limit and its nesting depth
			return nil, gqlerror.List{gqlerror.Wrap(ErrTooLarge)}
		}
		return nil, gqlerror.List{unparsable(syntax)}
	}
	if len(doc.Operations) == 0 {
		return nil, gqlerror.List{gqlerror.Wrap(ErrParse.Saying("Syntax Error: the document holds no operation"))}
	}
	m, err := s.cfg.measure(doc)
	if err != nil {
		return nil, gqlerror.List{gqlerror.Wrap(err)}
	}
	if m.introspect && !s.mayIntrospect(ctx) { // before validation, which would tell what exists
		return nil, gqlerror.List{gqlerror.Wrap(ErrIntrospection)}
	}
	parsing.End = graphql.Now()
	if errs := s.validator.check(doc, len(text) <= maxSuggest && s.explores(ctx)); len(errs) > 0 {
		return nil, errs
	}
	return &document{
		text: text, ast: doc, plan: exec.NewPlan(doc, func(f *ast.FieldDefinition) bool { return s.waits[f] }),
		introspect: m.introspect, depth: m.most.depth, fields: m.most.fields, bytes: documentBytes + len(text) + m.nodes*nodeBytes,
		deprecated: deprecatedIn(doc),
		parsing:    parsing, validation: graphql.TraceTiming{Start: parsing.End, End: graphql.Now()},
	}, nil
}

// documents keeps checked documents by the SHA-256 of their text, those used last, within a bound of bytes. It is safe
// for concurrent use.
type documents struct {
	max int

	mu    sync.Mutex
	bytes int
	order *list.List // of *kept, used last in front
	by    map[digest]*list.Element
}

type kept struct {
	key digest
	doc *document
}

func newDocuments(maxBytes int) *documents {
	return &documents{max: maxBytes, order: list.New(), by: map[digest]*list.Element{}}
}

func (c *documents) get(key digest) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.by[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*kept).doc //nolint:forcetypeassert // put puts nothing else
}

func (c *documents) put(key digest, d *document) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by[key] != nil || d.bytes > c.max {
		return // two requests met, or it would push out everything else
	}
	c.by[key] = c.order.PushFront(&kept{key, d})
	for c.bytes += d.bytes; c.bytes > c.max; {
		last := c.order.Remove(c.order.Back()).(*kept) //nolint:forcetypeassert // as above
		delete(c.by, last.key)
		c.bytes -= last.doc.bytes
	}
}
