package account

import (
	"net/mail"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"

	"github.com/backendbook/backendbook/internal/fault"
	"github.com/backendbook/backendbook/internal/label"
)

// EmailKey checks a bare mail address and gives the form addresses are compared in: NFKC and case fold, so `A@x.io`,
// `a@x.io` and `ａ@x.io` are one. Surrounding space is ignored. Quoted local parts, comments, address literals and
// characters that cannot be seen are refused: nobody has them by accident.
//
// Errors: EMAIL_INVALID.
func EmailKey(address string) (string, error) {
	address = strings.TrimSpace(address)
	if !isAddress(address) { // before folding, which costs
		return "", ErrEmailInvalid
	}
	key := fold(address)
	if !isAddress(key) { // folding can make an '@' or a space of a look-alike
		return "", ErrEmailInvalid
	}
	return key, nil
}

func isAddress(s string) bool {
	if len(s) > MaxEmail || !utf8.ValidString(s) || strings.Count(s, "@") != 1 || strings.ContainsAny(s, `"[]()<> `) {
		return false
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s && !strings.ContainsFunc(s, isHidden)
}

// reserved are usernames that look like the people who run a server, or like a part of its addresses.
var reserved = []string{
	"abuse", "account", "admin", "administrator", "anonymous", "api", "backendbook", "billing", "contact", "graphql", "guest",
	"help", "hostmaster", "info", "login", "mail", "moderator", "null", "operator", "owner", "postmaster", "register",
	"root", "security", "settings", "staff", "superuser", "support", "sysadmin", "system", "undefined", "webmaster", "www",
}

// UsernameKey checks a username and gives the form usernames are compared in. Letters are those of ASCII, and what folds
// to them: look-alikes from other alphabets are the oldest trick there is, and a username has to survive a phone call.
// The display name takes any alphabet. There is no '@' in one, so a username is never a mail address.
//
// Errors: USERNAME_INVALID.
func UsernameKey(username string) (string, error) {
	if len(username) > 4*MaxUsername { // folding costs; a character has at most 4 bytes
		return "", ErrUsername
	}
	key := fold(strings.TrimSpace(username))
	if len(key) < MinUsername || len(key) > MaxUsername || strings.ContainsFunc(key, isNoUsername) || strings.ContainsAny(key[:1], "._-") {
		return "", ErrUsername
	}
	return key, nil
}

func isNoUsername(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// takeUsername gives both forms of a username somebody wants; an empty one stays empty.
//
// Errors: USERNAME_INVALID, also for a reserved one.
func takeUsername(username string) (written, key string, err error) {
	if username == "" {
		return "", "", nil
	}
	if key, err = UsernameKey(username); err != nil {
		return "", "", ErrUsername.On("input.username")
	}
	if slices.Contains(reserved, key) {
		return "", "", ErrUsername.Saying("this username is reserved").On("input.username")
	}
	return strings.TrimSpace(username), key, nil
}

const maxLocale = 35 // bytes: what RFC 5646 asks everybody to have room for

// checkLocale gives the canonical form of a language tag; an empty one stays empty.
//
// Errors: BAD_USER_INPUT.
func checkLocale(tag string) (string, error) {
	if tag == "" {
		return "", nil
	}
	if len(tag) <= maxLocale {
		if t, err := language.Parse(tag); err == nil && len(t.String()) <= maxLocale {
			return t.String(), nil
		}
	}
	return "", fault.ErrInput.Saying("the locale must be a language tag such as en or de-CH").On("input.locale")
}

// checkTerms checks the name of a version of the terms.
//
// Errors: BAD_USER_INPUT.
func checkTerms(version string) error {
	if version == "" || len(version) > MaxTerms || !utf8.ValidString(version) || strings.ContainsFunc(version, label.IsUnprintable) {
		return fault.ErrInput.Saying("the version of the terms must have 1 to %d characters", MaxTerms).On("input.terms")
	}
	return nil
}

// isHidden covers everything that takes no room on a screen, so that two addresses cannot look the same by it.
func isHidden(r rune) bool {
	return label.IsUnprintable(r) || unicode.In(r, unicode.Cf, unicode.Z, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// fold is the normal form for comparing: what looks the same up to case and compatibility becomes the same. Folding can
// undo a normalisation and the other way round, so it is done until nothing changes: fold(fold(s)) == fold(s).
func fold(s string) string {
	for range 4 {
		next := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(s)))
		if next == s {
			break
		}
		s = next
	}
	return s
}

// nameKey is the sort key of a name, cut so that a cursor that holds it stays small.
func nameKey(name string) string {
	key := []rune(fold(name))
	return string(key[:min(len(key), MaxName)])
}
