package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/backendbook/backendbook/internal/actor"
	"github.com/backendbook/backendbook/internal/fault"
)

// PermExplore lets its holder ask for the schema in production, be told what a mistyped name may have meant, and send
// documents that are not trusted where only trusted ones are executed.
const PermExplore = "schema.explore"

// Permissions are those of the interface itself.
func Permissions() map[string]string {
	return map[string]string{PermExplore: "Ask for the schema, and send any document where only trusted ones are executed"}
}

// Errors of documents that are sent by their SHA-256. The messages of the first two are what Apollo's clients look for.
var (
	ErrNotPersisted = fault.Define(fault.NotFound, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
	ErrNotSupported = fault.Define(fault.Invalid, "PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
	ErrMismatch     = fault.Define(fault.Invalid, "PERSISTED_QUERY_MISMATCH", "the document is not the one with this SHA-256")
	ErrUntrusted    = fault.Define(fault.Forbidden, "DOCUMENT_UNTRUSTED", "only documents that are registered with this server are executed")
)

// digest names a document: the SHA-256 of its text.
type digest [sha256.Size]byte

func digestOf(text string) digest { return sha256.Sum256([]byte(text)) }

// parseDigest reads a digest in hex, as such or after "sha256:".
func parseDigest(text string) (d digest, ok bool) {
	text = strings.TrimPrefix(text, "sha256:")
	if len(text) != hex.EncodedLen(len(d)) {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// persistedKey is the extension by which Apollo's clients name a document.
const persistedKey = "persistedQuery"

// named is the digest by which a request names its document, as documentId (GraphQL over HTTP, appendix on persisted
// documents) or as Apollo's extension does.
//
// Errors: BAD_REQUEST.
func named(params *graphql.RawParams) (d digest, is bool, err error) {
	ext, given := params.Extensions[persistedKey]
	if !given {
		return d, false, nil
	}
	members, _ := ext.(map[string]any)
	text, _ := members["sha256Hash"].(string)
	if d, ok := parseDigest(text); ok {
		return d, true, nil
	}
	return d, false, ErrBadRequest.Saying("a document is named by its SHA-256 in hex").On("extensions." + persistedKey)
}

// find gives the checked document of a request, which holds its text, its SHA-256 or both. A text that comes with its digest
// is known by it from then on, on this node: that is all of automatic persisted queries.
func (s *Server) find(ctx context.Context, params *graphql.RawParams) (*document, gqlerror.List) {
	key, is, err := named(params)
	switch {
	case err != nil:
		return nil, gqlerror.List{gqlerror.Wrap(err)}
	case !is:
		return s.document(ctx, params.Query)
	case params.Query != "" && digestOf(params.Query) != key:
		return nil, gqlerror.List{gqlerror.Wrap(ErrMismatch)}
	case params.Query != "":
		return s.document(ctx, params.Query)
	}
	d := s.trusted[key]
	if d == nil && s.cfg.TrustedOnly {
		return nil, gqlerror.List{gqlerror.Wrap(ErrNotSupported)}
	}
	if d == nil {
		d = s.documents.get(key)
	}
	if d == nil {
		return nil, gqlerror.List{gqlerror.Wrap(ErrNotPersisted)}
	}
	return d, nil
}

// planned is the document that an operation was prepared from; nil if it was forgotten meanwhile.
func (s *Server) planned(op *graphql.OperationContext) *document {
	key := digestOf(op.RawQuery)
	if d := s.trusted[key]; d != nil {
		return d
	}
	return s.documents.get(key)
}

// Trust registers documents by their SHA-256 in hex: they are checked now and kept for good, and their operations are named in
// the metrics. All faults are told at once. Only before serving.
func (s *Server) Trust(ctx context.Context, manifest map[string]string) error {
	ctx = actor.With(ctx, actor.System())
	s.trusted = make(map[digest]*document, len(manifest))
	var faults []string
	for _, id := range slices.Sorted(maps.Keys(manifest)) {
		text := manifest[id]
		key, ok := parseDigest(id)
		if !ok || key != digestOf(text) {
			faults = append(faults, fmt.Sprintf("%q is not the SHA-256 of its document", id))
			continue
		}
		d, errs := s.parse(ctx, text)
		if len(errs) > 0 {
			faults = append(faults, fmt.Sprintf("%s: %v", id, errs))
			continue
		}
		d.trusted = true
		s.trusted[key] = d
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

// explores reports whether the actor of ctx may explore the schema.
func (s *Server) explores(ctx context.Context) bool {
	return s.cfg.Development || s.rights.RequireSome(ctx, PermExplore) == nil
}

func (s *Server) mayIntrospect(ctx context.Context) bool {
	return s.cfg.Introspection || s.explores(ctx)
}
