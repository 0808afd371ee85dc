package graph

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/backendbook/backendbook/graph/scalar"
	"github.com/backendbook/backendbook/internal/fault"
)

// FuzzDecodeParams: a body is a request of valid texts or is refused with a code, and the refusal repeats nothing of it.
func FuzzDecodeParams(f *testing.F) {
	f.Add([]byte(`{"query":"{ a }","operationName":"Q","variables":{"a":[1,"x"]},"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}`))
	f.Add([]byte(`{"documentId":"ab","query":null}`))
	f.Add([]byte(`[{"query":"{ a }"}]`))
	f.Add([]byte(`{"query":{"$ne":""}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var p graphql.RawParams
		checkParams(t, &p, decodeParams(body, &p), string(body))
	})
}

// FuzzDecodeQuery is FuzzDecodeParams for the address of a GET.
func FuzzDecodeQuery(f *testing.F) {
	f.Add("query=%7B__typename%7D&variables=%7B%22a%22%3A1%7D&operationName=Q")
	f.Add("query=%FF&query=a&documentId=x")
	f.Add("variables=[1]&extensions=null&query=")
	f.Fuzz(func(t *testing.T, address string) {
		var p graphql.RawParams
		text, _ := url.QueryUnescape(address)
		checkParams(t, &p, decodeQuery(address, &p), text)
	})
}

func checkParams(t *testing.T, p *graphql.RawParams, err error, sent string) {
	t.Helper()
	if err != nil {
		e := fault.From(err)
		if e.Kind == fault.Internal || len(sent) > 40 && strings.Contains(e.Msg, sent) {
			t.Errorf("%v", err)
		}
		return
	}
	if !utf8.ValidString(p.Query) || !utf8.ValidString(p.OperationName) {
		t.Errorf("%q is taken for a text", p.Query)
	}
	if m, err := scalar.UnmarshalJSON(p.Variables); err == nil {
		for k := range m {
			if !scalar.GoodKey(k) {
				t.Errorf("the key %q is taken", k)
			}
		}
	}
}

// FuzzReadMessage: a frame of a socket is a message of valid texts or none, and a token in it is one text.
func FuzzReadMessage(f *testing.F) {
	f.Add([]byte(`{"type":"connection_init","payload":{"authorization":"Bearer bbs_x"}}`))
	f.Add([]byte(`{"type":"connection_init","payload":{"authorization":"Bearer a","Authorization":"Bearer b"}}`))
	f.Add([]byte(`{"type":"subscribe","id":"1","payload":{"query":"{ a }"}}`))
	f.Add([]byte(`{"type":"complete","id":null,"type":"ping"}`))
	f.Add([]byte("{\"type\":\"complete\",\"id\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, ok := readMessage(frame)
		if !ok {
			return
		}
		if !utf8.ValidString(m.kind) || !utf8.ValidString(m.id) {
			t.Errorf("%+v holds no text", m)
		}
		if secret, good := initToken(m.payload); secret != "" && (!good || strings.ContainsAny(secret, " \r\n\x00")) {
			t.Errorf("the token %q", secret)
		}
		var p graphql.RawParams
		checkParams(t, &p, fillParams(m.payload, &p), string(frame))
	})
}
