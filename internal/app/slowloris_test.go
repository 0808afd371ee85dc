package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/app/apptest"
)

// TestSlowHeaders: a thousand connections that send a header letter by letter hold up nobody, and each is cut after the five seconds that a
// header may take.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	const (
		many    = 1000
		allowed = 5 * time.Second
	)
	s := apptest.Start(t, apptest.Setup{})
	address := strings.TrimPrefix(s.URL, "http://")
	begin := time.Now()
	var all sync.WaitGroup
	var cut atomic.Int32
	for range many {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			trickle := time.NewTicker(500 * time.Millisecond)
			defer trickle.Stop()
			for range trickle.C {
				if _, err := io.WriteString(conn, "x"); err != nil {
					break
				}
				if time.Since(begin) > 4*allowed {
					return
				}
			}
			if _, err := bufio.NewReader(conn).ReadByte(); err != nil { // and not an answer to half of a request
				cut.Add(1)
			}
		})
	}
	b := s.Browser()
	slowest, asked := time.Duration(0), 0
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for ; time.Since(begin) < allowed-time.Second; asked++ {
		at := <-pace.C
		b.Must(`{ __typename }`, nil)
		if res, err := http.Get(s.URL + "/readyz"); err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("readyz beside them: %v", err)
		}
		slowest = max(slowest, time.Since(at))
	}
	if slowest > 2*time.Second || asked < 10 {
		t.Errorf("of %d requests beside them one took %s", asked, slowest)
	}
	all.Wait()
	if n := cut.Load(); n != many {
		t.Errorf("%d of %d were cut", n, many)
	}
	if took := time.Since(begin); took > 3*allowed {
		t.Errorf("the last was cut after %s", took)
	}
	t.Logf("%d requests beside them, the slowest took %s; all were cut after %s", asked, slowest.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
}
