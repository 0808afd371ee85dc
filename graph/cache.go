package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"
)

// maxAge is for how many seconds anybody may be given the answer of an operation again: what @cacheControl says of its
// root fields, the least of them; 0 for not at all. That is only for what comes by GET from somebody who is nobody, for
// others may see more.
func (s *Server) maxAge(method string, op *graphql.OperationContext) int {
	if method != http.MethodGet || op.Headers.Get("Cookie") != "" || op.Headers.Get("Authorization") != "" {
		return 0
	}
	age := 0
	for _, f := range rootFields(op) {
		of := s.access[f.Definition].maxAge
		if of == 0 {
			return 0
		}
		if age == 0 || of < age {
			age = of
		}
	}
	return age
}

// tagOf is the entity tag of an answer: weak, for it is compressed on the way or not.
func tagOf(body []byte) string {
	sum := sha256.Sum256(body)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// knows reports whether If-None-Match names a tag.
func knows(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
