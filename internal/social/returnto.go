package social

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxReturnTo = 2048 // bytes

// CheckReturnTo gives the path to go to after a sign-in: path itself, or "/" when it is empty. It must be a path of this
// site, with a query and fragment if need be, that stays one in every reading: browsers take a backslash for a slash and
// drop tabs and line ends, proxies decode percent signs, routers resolve dots.
//
// Errors: RETURN_TO_INVALID.
func CheckReturnTo(path string) (string, error) {
	if path == "" {
		return "/", nil
	}
	odd := func(r rune) bool { return r == '\\' || hidden(r) || unicode.IsSpace(r) }
	if path[0] != '/' || strings.HasPrefix(path, "//") || len(path) > maxReturnTo || !utf8.ValidString(path) || strings.ContainsFunc(path, odd) {
		return "", ErrReturnTo
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !local(u.Path) || !utf8.ValidString(u.Path) ||
		strings.ContainsFunc(u.Path, func(r rune) bool { return r == '\\' || hidden(r) }) {
		return "", ErrReturnTo
	}
	return path, nil
}

// local reports whether no part of a decoded path is empty, but the last, or dots: "//", "/./" and "/../" are where
// readings differ.
func local(path string) bool {
	parts := strings.Split(path, "/")
	for i, p := range parts[1:] {
		if p == "" && i < len(parts)-2 || p == "." || p == ".." {
			return false
		}
	}
	return true
}
