package httpapi

import (
	"net/http/httptest"
	"testing"
)

func TestClientIP(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		peer    string
		headers []string
		proxies int
		want    string
	}{
		{"no proxy", "203.0.113.9:4711", nil, 0, "203.0.113.9"},
		{"a forged header without proxies", "203.0.113.9:4711", []string{"1.2.3.4"}, 0, "203.0.113.9"},
		{"one proxy", "10.0.0.1:4711", []string{"203.0.113.9"}, 1, "203.0.113.9"},
		{"one proxy, forged entries before", "10.0.0.1:4711", []string{"1.2.3.4, 5.6.7.8, 203.0.113.9"}, 1, "203.0.113.9"},
		{"two proxies", "10.0.0.1:4711", []string{"1.2.3.4, 203.0.113.9, 10.0.0.2"}, 2, "203.0.113.9"},
		{"several header lines", "10.0.0.1:4711", []string{"1.2.3.4", "203.0.113.9"}, 1, "203.0.113.9"},
		{"shorter than the proxies", "10.0.0.1:4711", []string{"203.0.113.9"}, 2, "10.0.0.1"},
		{"no header though there should be", "10.0.0.1:4711", nil, 1, "10.0.0.1"},
		{"not an address", "10.0.0.1:4711", []string{"unknown"}, 1, "10.0.0.1"},
		{"an injection", "10.0.0.1:4711", []string{"203.0.113.9\r\nlevel=ERROR"}, 1, "10.0.0.1"},
		{"v6", "[2001:db8::1]:4711", nil, 0, "2001:db8::1"},
		{"v4 in v6", "[::ffff:203.0.113.9]:4711", nil, 0, "203.0.113.9"},
		{"a zone", "[fe80::1%eth0]:4711", nil, 0, "fe80::1"},
		{"a unix socket", "@", nil, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tc.peer
			for _, h := range tc.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			if got := clientIP(r, tc.proxies); got != tc.want {
				t.Errorf("clientIP() = %q, want %q", got, tc.want)
			}
		})
	}
}
