package graph

import (
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/graph/loader"
	"github.com/backendbook/backendbook/internal/actor"
)

func hashOf(text string) string {
	d := digestOf(text)
	return hex.EncodeToString(d[:])
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func apollo(hash string) map[string]any {
	return map[string]any{"persistedQuery": map[string]any{"version": 1, "sha256Hash": hash}}
}

// Automatic persisted queries as Apollo's clients play them, by POST and GET: the hash, then both, then the hash again.
func TestAutomaticPersistedQueries(t *testing.T) {
	t.Parallel()
	r := newRig(t, &stubs{}, Config{})
	const text = `{ __typename }`
	hash := hashOf(text)
	get := func(params map[string]string) got {
		q := url.Values{}
		for k, v := range params {
			q.Set(k, v)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"?"+q.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return r.do(req)
	}
	only := jsonText(t, map[string]any{"extensions": apollo(hash)})
	if g := r.post(only); g.code() != "PERSISTED_QUERY_NOT_FOUND" || g.Errors[0].Message != "PersistedQueryNotFound" || g.status != http.StatusOK {
		t.Errorf("unknown: %d %s", g.status, g.body)
	}
	if g := r.post(jsonText(t, map[string]any{"query": `{ broken `, "extensions": apollo(hashOf(`{ broken `))})); g.code() != "GRAPHQL_PARSE_FAILED" {
		t.Errorf("broken: %s", g.body)
	}
	if g := r.post(jsonText(t, map[string]any{"extensions": apollo(hashOf(`{ broken `))})); g.code() != "PERSISTED_QUERY_NOT_FOUND" {
		t.Errorf("a document that was refused is remembered: %s", g.body)
	}
	if g := r.post(jsonText(t, map[string]any{"query": text, "extensions": apollo(hashOf("other"))})); g.code() != "PERSISTED_QUERY_MISMATCH" {
		t.Errorf("mismatch: %s", g.body)
	}
	if g := r.post(jsonText(t, map[string]any{"query": text, "extensions": apollo(hash)})); g.code() != "" {
		t.Errorf("both: %s", g.body)
	}
	for name, g := range map[string]got{
		"POST":             r.post(only),
		"GET":              get(map[string]string{"extensions": jsonText(t, apollo(hash))}),
		"documentId":       r.post(jsonText(t, map[string]any{"documentId": hash})),
		"GET documentId":   get(map[string]string{"documentId": "sha256:" + hash}),
		"upper case":       r.post(jsonText(t, map[string]any{"documentId": "sha256:" + strings.ToUpper(hash)})),
		"a text beside it": r.post(jsonText(t, map[string]any{"documentId": hash, "query": text})),
	} {
		if g.code() != "" || string(g.Data) != `{"__typename":"Query"}` {
			t.Errorf("%s: %s", name, g.body)
		}
	}
	for name, body := range map[string]any{
		"no hash":     map[string]any{"extensions": map[string]any{"persistedQuery": map[string]any{"version": 1}}},
		"short":       map[string]any{"documentId": "abc"},
		"no hex":      map[string]any{"documentId": strings.Repeat("x", 64)},
		"number":      map[string]any{"documentId": 5},
		"nothing":     map[string]any{},
		"not members": map[string]any{"extensions": map[string]any{"persistedQuery": true}},
	} {
		if g := r.post(jsonText(t, body)); g.code() != "BAD_REQUEST" {
			t.Errorf("%s: %s", name, g.body)
		}
	}
}

// Where only trusted documents are executed, all others are refused whatever the form, but for who may explore.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	const text, stranger = `query Kind { __typename }`, `{ kind: __typename }`
	s := newServer(&stubs{Resolver: &Resolver{}}, holder{PermExplore}, proven{}, loader.Sources{}, Config{TrustedOnly: true},
		slog.New(slog.DiscardHandler), Hooks{})
	if err := s.Trust(t.Context(), map[string]string{hashOf(text): text}); err != nil {
		t.Fatal(err)
	}
	explorer := actor.With(t.Context(), actor.Actor{User: "u"})
	for _, tc := range []struct {
		name   string
		params graphql.RawParams
		code   string // for who may not explore
		may    string // for who may
	}{
		{"text", graphql.RawParams{Query: text}, "", ""},
		{"hash", graphql.RawParams{Extensions: apollo(hashOf(text))}, "", ""},
		{"both", graphql.RawParams{Query: text, Extensions: apollo(hashOf(text))}, "", ""},
		{"stranger", graphql.RawParams{Query: stranger}, "DOCUMENT_UNTRUSTED", ""},
		{"stranger with hash", graphql.RawParams{Query: stranger, Extensions: apollo(hashOf(stranger))}, "DOCUMENT_UNTRUSTED", ""},
		{"hash of the stranger", graphql.RawParams{Extensions: apollo(hashOf(stranger))}, "PERSISTED_QUERY_NOT_SUPPORTED", "PERSISTED_QUERY_NOT_SUPPORTED"},
		{"introspection", graphql.RawParams{Query: `{ __schema { queryType { name } } }`}, "DOCUMENT_UNTRUSTED", ""},
	} {
		code := func(_ *graphql.OperationContext, errs error) string {
			var told struct{ Extensions struct{ Code string } }
			if b, err := json.Marshal(errs); err != nil || json.Unmarshal(b, &told) != nil {
				t.Fatal(errs, err)
			}
			return told.Extensions.Code
		}
		first := func(errs []error) error {
			if len(errs) == 0 {
				return nil
			}
			return errs[0]
		}
		op, errs := s.Prepare(explorer, &tc.params)
		if got := code(op, first(errs.Unwrap())); got != tc.may {
			t.Errorf("%s: %q to an explorer, want %q", tc.name, got, tc.may)
		}
		op, errs = s.Prepare(t.Context(), &tc.params) // after the explorer's: what is cached is not for everybody
		if got := code(op, first(errs.Unwrap())); got != tc.code {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.code)
		}
	}
}

func TestTrustRefuses(t *testing.T) {
	t.Parallel()
	s := plainServer(t, Config{})
	bad := `{ nothingOfThisName }`
	err := s.Trust(t.Context(), map[string]string{"abc": `{ __typename }`, hashOf(bad): bad})
	if err == nil || !strings.Contains(err.Error(), `"abc" is not the SHA-256`) || !strings.Contains(err.Error(), "nothingOfThisName") {
		t.Errorf("Trust() = %v; want both faults", err)
	}
	if err := s.Trust(t.Context(), map[string]string{"sha256:" + hashOf(`{ __typename }`): `{ __typename }`}); err != nil {
		t.Error(err)
	}
}

// In production the schema is for those who may explore, and so are suggestions.
func TestExploringByRole(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		held        holder
		development bool
		want        string // of introspection
		suggests    bool
	}{
		"production":  {nil, false, "INTROSPECTION_DISABLED", false},
		"explorer":    {holder{PermExplore}, false, "", true},
		"development": {nil, true, "", true},
	} {
		s := newServer(&stubs{Resolver: &Resolver{}}, tc.held, proven{}, loader.Sources{}, Config{Development: tc.development}, slog.New(slog.DiscardHandler), Hooks{})
		ctx := actor.With(t.Context(), actor.Actor{User: "u"})
		_, errs := s.Prepare(ctx, &graphql.RawParams{Query: `{ __schema { queryType { name } } }`})
		if (len(errs) > 0) != (tc.want != "") || len(errs) > 0 && errs[0].Extensions["code"] != tc.want {
			t.Errorf("%s: introspection %v", name, errs)
		}
		_, errs = s.Prepare(ctx, &graphql.RawParams{Query: `{ documentz(type: "a") { nodes { id } } }`})
		if len(errs) == 0 || strings.Contains(errs[0].Message, "documents") != tc.suggests {
			t.Errorf("%s: %v", name, errs)
		}
	}
}
