package graph

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// An answer may be kept when it is public, came by GET and is nobody's; then its tag spares sending it again.
func TestCacheControl(t *testing.T) {
	t.Parallel()
	c := newCourt(t)
	type answer struct {
		status int
		http.Header
	}
	get := func(query string, headers ...string) answer {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"?query="+url.QueryEscape(query), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return answer{res.StatusCode, res.Header}
	}
	const plans = `{ plans { key } }`
	kept := get(plans)
	if got := kept.Get("Cache-Control"); got != "public, max-age=60" || !strings.Contains(strings.Join(kept.Values("Vary"), ","), "Cookie") {
		t.Errorf("plans: %q, varies by %q", got, kept.Values("Vary"))
	}
	tag := kept.Get("ETag")
	if again := get(plans, "If-None-Match", `"other", `+tag); tag == "" || again.status != http.StatusNotModified || again.Get("ETag") != tag {
		t.Errorf("known: %d, %q", again.status, again.Get("ETag"))
	}
	if changed := get(plans, "If-None-Match", `W/"other"`); changed.status != http.StatusOK {
		t.Errorf("unknown: %d", changed.status)
	}
	for name, res := range map[string]answer{
		"cookie":        get(plans, "Cookie", "a=b"),
		"authorization": get(plans, "Authorization", "Bearer x"),
		"not marked":    get(`{ plans { key } me { user { id } } }`),
		"no field":      get(`{ __typename }`),
		"an error":      get(`{ plans { nothing } }`),
		"extensions":    get(plans, CostHeader, "1"),
	} {
		if got := res.Get("Cache-Control"); got != "no-store" || res.Get("ETag") != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := c.ask("", plans, nil); !strings.HasPrefix(got, "{") {
		t.Error(got)
	}
}
