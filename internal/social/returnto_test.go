package social

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestReq46ReturnTo(t *testing.T) {
	t.Parallel()
	for _, good := range []string{
		"/", "/inbox", "/inbox/", "/a/b?c=d&e=%20f#g", "/?next=https://other.example/", "/search?q=//x", "/#/route//x", "/J%C3%BCrgen", "/Jürgen",
		"/@someone", "/a:b", "/a%2Fb", "/.well-known/x", "/a..b/...", "/" + strings.Repeat("x", maxReturnTo-1),
	} {
		if got, err := CheckReturnTo(good); got != good || err != nil {
			t.Errorf("CheckReturnTo(%q) = %q, %v", good, got, err)
		}
	}
	if got, err := CheckReturnTo(""); got != "/" || err != nil {
		t.Errorf("nothing: %q, %v", got, err)
	}
	for _, bad := range []string{
		"//", "//?x", "//#x", "//evil", "///evil", `/\evil`, `\\evil`, `\/evil`, "https://evil.example/", "HTTPS:evil", "javascript:alert(1)", "data:text/html,x", "evil", "evil.example/",
		"?x", "#x", " /x", "/ /evil", "/\t/evil", "/\n/evil", "/\r\nSet-Cookie: a=b", "/\x00", "/\x7f", "/a\u2028b", "/a\u202eb", "/a\u200bb", "/a\u00a0b", "/a\ufeffb",
		`/a?b=\c`, "/a//b", "/a//", "/./", "/.", "/..", "/../x", "/a/../b", "/.//evil", "/..//evil", `/a\b`,
		"/%2fevil", "/%2F%2Fevil", "/%5cevil", "/%5C/evil", "/%2e%2e/x", "/%2e/x", "/%09/evil", "/%0d%0aX: y", "/%00", "/%e2%80%8b", "/%ff", "/%", "/%zz",
		"/\xff", "/" + strings.Repeat("x", maxReturnTo), "http:///x", "//user@evil",
	} {
		if got, err := CheckReturnTo(bad); !errors.Is(err, ErrReturnTo) || got != "" {
			t.Errorf("CheckReturnTo(%q) = %q, %v", bad, got, err)
		}
	}
}

// FuzzCheckReturnTo reads what passed as browsers, proxies and routers do: it must lead to this site each time.
func FuzzCheckReturnTo(f *testing.F) {
	for _, seed := range []string{"/", "//", "//evil", `/\evil`, "/%2f/evil", "/a/../b", "/a?b//c#d//e", "/\t/x", "/%5c"} {
		f.Add(seed)
	}
	base, err := url.Parse("https://book.example/deep/down?x")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in string) {
		path, err := CheckReturnTo(in)
		if err != nil {
			return
		}
		browser := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimSpace(path))
		decoded, err := url.PathUnescape(path[:strings.IndexAny(path+"?", "?#")])
		if err != nil {
			t.Errorf("%q: %v", in, err)
		}
		for _, reading := range []string{path, browser} {
			u, err := base.Parse(reading)
			if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || u.User != nil {
				t.Errorf("%q leads to %v, %v", in, u, err)
			}
		}
		for _, reading := range []string{path, browser, decoded} {
			if !strings.HasPrefix(reading, "/") || strings.HasPrefix(reading, "//") || strings.HasPrefix(reading, `/\`) {
				t.Errorf("%q can be read as %q", in, reading)
			}
		}
	})
}
