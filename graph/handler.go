package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/clock"
	"github.com/backendbook/backendbook/internal/fault"
)

// DeadlineHeader is the header by which a client says how long it will wait: whole milliseconds, or a duration such as
// "1.5s". What is over the server's own bound counts as the bound.
const DeadlineHeader = "X-Request-Timeout"

// ServeHTTP answers POST and GET as the GraphQL-over-HTTP specification has it; a WebSocket upgrade, and a request for
// server-sent events, goes to what [Server.HandleStreams] was given. The session, the request id and the rest of the actor are expected in the request's context.
//
// A well-formed request is answered with 200 as application/json, whatever is wrong with its document; as
// application/graphql-response+json an operation that was not executed is 400 and has no data. A request that is not
// well-formed is 400, 405, 406, 413 or 415 either way. Only application/json is taken by POST, which no page of another
// origin can send without asking first, and only queries by GET: that is the defence against cross-site requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.streams != nil && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		s.streams.ServeHTTP(w, r)
		return
	}
	ctx := r.Context()
	a := answer{w: w, typ: typeJSON, buffers: &s.buffers}
	typ, ok := negotiate(r.Header.Values("Accept"))
	events := s.streams != nil && acceptsEvents(r)
	if !ok && !events {
		s.refuse(ctx, a, http.StatusNotAcceptable, ErrNotAcceptable)
		return
	}
	if ok {
		a.typ = typ
	}
	params, status, err := s.read(w, r)
	if err != nil {
		s.refuse(ctx, a, status, err)
		return
	}
	if events && (!ok || s.isSubscription(ctx, params)) { // many clients name events besides JSON, whatever they ask for
		s.streams.ServeEvents(w, r, params)
		return
	}
	wait, err := s.deadline(r.Header.Get(DeadlineHeader))
	if err != nil {
		s.refuse(ctx, a, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	s.run(ctx, a, r.Method, params)
}

func (s *Server) run(ctx context.Context, a answer, method string, params *graphql.RawParams) {
	op, errs := s.Prepare(ctx, params)
	if len(errs) > 0 {
		a.notExecuted(errs)
		return
	}
	switch typ := op.Operation.Operation; {
	case pricedOnly(op.Headers, op.Extensions):
		a.write(http.StatusOK, s.Execute(ctx, op)(ctx))
	case typ == ast.Subscription:
		a.notExecuted(gqlerror.List{s.present(ctx, ErrNeedsSocket)})
	case method == http.MethodGet && typ != ast.Query:
		a.w.Header().Set("Allow", http.MethodPost)
		s.refuse(ctx, a, http.StatusMethodNotAllowed, ErrMethod)
	default:
		a.maxAge, a.known = s.maxAge(method, op), op.Headers.Get("If-None-Match")
		resp := s.Execute(ctx, op)(ctx)
		a.write(statusOf(a.w, resp), resp)
	}
}

// isSubscription reports whether the operation is one. What is wrong with it is told when it is executed.
func (s *Server) isSubscription(ctx context.Context, params *graphql.RawParams) bool {
	doc, errs := s.find(ctx, params)
	if len(errs) > 0 {
		return false
	}
	op := doc.ast.Operations.ForName(params.OperationName)
	return op != nil && op.Operation == ast.Subscription
}

// refuse answers a request that is no GraphQL request.
func (s *Server) refuse(ctx context.Context, a answer, status int, err error) {
	a.write(status, &graphql.Response{Errors: gqlerror.List{s.present(ctx, err)}})
}

// deadline reads how long the client waits.
func (s *Server) deadline(header string) (time.Duration, error) {
	if header == "" {
		return s.cfg.Timeout, nil
	}
	wait, ok := clock.ParseWait(header)
	if !ok {
		return 0, ErrDeadline
	}
	return min(wait, s.cfg.MaxTimeout), nil
}

// read takes the operation out of a request, or says with which status the request is refused.
func (s *Server) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, int, error) {
	params := &graphql.RawParams{Headers: r.Header}
	switch r.Method {
	case http.MethodGet:
		if err := decodeQuery(r.URL.RawQuery, params); err != nil {
			return nil, http.StatusBadRequest, err
		}
	case http.MethodPost:
		if !isJSON(r.Header.Get("Content-Type")) {
			return nil, http.StatusUnsupportedMediaType, ErrMediaType
		}
		if status, err := s.readBody(w, r, params); err != nil {
			return nil, status, err
		}
	default:
		w.Header().Set("Allow", "GET, POST")
		return nil, http.StatusMethodNotAllowed, ErrMethod
	}
	return params, 0, nil
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request, params *graphql.RawParams) (int, error) {
	if r.ContentLength > s.cfg.MaxBodyBytes {
		return http.StatusRequestEntityTooLarge, ErrBody
	}
	buf := s.buffers.get()
	defer s.buffers.put(buf) // ijson.Parse keeps nothing of it
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, s.cfg.MaxBodyBytes)); err != nil {
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return http.StatusRequestEntityTooLarge, ErrBody
		case r.Context().Err() != nil:
			return http.StatusBadRequest, fault.ErrCanceled.Because(err)
		default:
			return http.StatusBadRequest, ErrBadRequest.Saying("the body could not be read").Because(err)
		}
	}
	if err := decodeParams(buf.Bytes(), params); err != nil {
		return http.StatusBadRequest, err
	}
	return 0, nil
}
