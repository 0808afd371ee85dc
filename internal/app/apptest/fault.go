package apptest

import (
	"net/url"
	"testing"

	"github.com/backendbook/backendbook/internal/store/storetest"
)

// named is the address of the tests' MongoDB for a server that fail points are to know.
func named(t testing.TB, name string) string {
	t.Helper()
	u, err := url.Parse(storetest.URI(t))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("appName", name)
	u.RawQuery = q.Encode()
	return u.String()
}

// CutStream keeps the change stream of this server, and of no other, from hearing anything until restore is called: see
// [storetest.CutStreams].
func (s *Server) CutStream() (restore func()) {
	s.t.Helper()
	return storetest.CutStreams(s.t, s.DB())
}
