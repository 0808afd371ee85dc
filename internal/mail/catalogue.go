package mail

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// catalogue is every mail and a sample of its data, which also says the types. Link holds the secret alone: the template
// knows the address. A change of a name or a field is a change for whoever has a template of his own.
var catalogue = map[string]map[string]any{
	"verify_email":       {"Name": "Ada", "Code": "482913", "Link": sampleLink, "Minutes": 1440},
	"already_registered": {},
	"unknown_account":    {},
	"confirm_address":    {"Name": "Ada", "Code": "482913", "Link": sampleLink, "Minutes": 60},
	"sign_in":            {"Name": "Ada", "Code": "482913", "Link": sampleLink, "Minutes": 15},
	"factor_code":        {"Name": "Ada", "Code": "482913", "Minutes": 10},
	"reset_password":     {"Name": "Ada", "Code": "482913", "Link": sampleLink, "Minutes": 30, "ByAdmin": false},
	"invitation":         {"Inviter": "Grace", "Link": sampleLink, "Days": 7},
	"admin_link":         {"Link": sampleLink, "Minutes": 60},

	"notice_password_changed":  notice(nil),
	"notice_address_added":     notice(map[string]any{"Address": "ada@example.net"}),
	"notice_address_removed":   notice(map[string]any{"Address": "ada@example.net"}),
	"notice_primary_changed":   notice(map[string]any{"Old": "ada@example.org", "New": "ada@example.net"}),
	"notice_factor_added":      notice(map[string]any{"Factor": "My phone"}),
	"notice_factor_removed":    notice(map[string]any{"Factor": "My phone"}),
	"notice_recovery_codes":    notice(nil),
	"notice_recovery_used":     notice(map[string]any{"Left": 7}),
	"notice_identity_linked":   notice(map[string]any{"Provider": "GitHub"}),
	"notice_identity_unlinked": notice(map[string]any{"Provider": "GitHub"}),
	"notice_access_key":        notice(map[string]any{"Key": "nightly import"}),
	"notice_new_device":        notice(nil),
	"notice_token_reused":      notice(map[string]any{"Since": time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC), "Agent": "Firefox on Linux"}),
	"notice_deactivated":       notice(nil),
	"notice_deletion":          notice(map[string]any{"Until": time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)}),
	"notice_restored":          notice(nil),
	"notice_disabled":          notice(nil),

	"report":        {"Title": "Flights", "When": "Mon, 5 Jan 2026 08:00 CET", "Sender": "Ada", "Sections": sampleSections},
	"report_paused": {"Name": "Ada", "Title": "Flights", "Reason": "you do not have the right to do this"},
	"alert_fired": {
		"Title": "Delays", "Condition": "ABOVE", "Threshold": "60", "Value": "75.5", "At": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	},
	"alert_recovered": {"Title": "Delays", "Value": "12", "At": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	"alert_paused":    {"Name": "Ada", "Title": "Delays", "Reason": "you do not have the right to do this"},
}

var sampleSections = []Section{
	{Title: "Flights a day", Note: "29 December 2025 to 4 January 2026", Picture: "cid:chart1", Columns: []string{"origin", "value", "before"}, Rows: [][]string{{"LAX", "1,204", "1,180"}, {"JFK", "988", "–"}}},
	{Title: "Mean delay", Note: "no numbers"},
}

const sampleLink = "bbl_c2FtcGxlIG9mIGEgc2VjcmV0LCBub3QgYSBzZWNyZXQ"

// notice is the sample of a mail that tells of something done to an account: who it greets, when it was, and from where.
func notice(more map[string]any) map[string]any {
	data := map[string]any{
		"Name": "Ada", "At": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), "IP": "203.0.113.7", "Device": "Firefox on Linux",
	}
	maps.Copy(data, more)
	return data
}

// checkData compares the data of a message with the catalogue. Errors name fields, never values.
func checkData(template string, data map[string]any) error {
	sample, known := catalogue[template]
	if !known {
		return fmt.Errorf("mail: there is no template %q", template)
	}
	for _, field := range slices.Sorted(maps.Keys(sample)) {
		have, given := data[field]
		if want := fmt.Sprintf("%T", sample[field]); !given || fmt.Sprintf("%T", have) != want {
			return fmt.Errorf("mail: %s wants the field %s of type %s", template, field, want)
		}
		if field == "Link" && have == "" {
			return fmt.Errorf("mail: %s was given an empty Link", template)
		}
	}
	if len(data) != len(sample) {
		return fmt.Errorf("mail: %s was given %d fields, wants %d", template, len(data), len(sample))
	}
	return nil
}

const (
	maxText = 320 // runes of any text that somebody chose, or of an address
	maxName = 60  // runes of a name that is worth greeting
)

// clean gives the data as templates may have it: each text on one line and of bounded length, and no link where a
// stranger can put one. Mails to addresses that nobody has confirmed greet with a name their sender has chosen.
func clean(data map[string]any) map[string]any {
	tidy := make(map[string]any, len(data)+3)
	for field, v := range data {
		if parts, ok := v.([]Section); ok {
			v = cleanSections(parts)
		}
		text, ok := v.(string)
		if !ok || field == "Link" || field == "Code" { // ours, and of no use when cut
			tidy[field] = v
			continue
		}
		text = shorten(oneLine(text), maxText)
		switch field {
		case "Name", "Inviter":
			if looksLikeLink(text) || len([]rune(text)) > maxName {
				text = ""
			}
		case "Device":
			if looksLikeLink(text) {
				text = ""
			}
		}
		tidy[field] = text
	}
	return tidy
}

// cleanSections is clean of what sections say.
func cleanSections(given []Section) []Section {
	line := func(s string) string { return shorten(oneLine(s), maxText) }
	lines := func(texts []string) []string {
		out := make([]string, len(texts))
		for i, s := range texts {
			out[i] = line(s)
		}
		return out
	}
	out := make([]Section, len(given))
	for i, s := range given {
		out[i] = Section{Title: line(s.Title), Note: line(s.Note), Picture: s.Picture, Columns: lines(s.Columns)}
		for _, row := range s.Rows {
			out[i].Rows = append(out[i].Rows, lines(row))
		}
	}
	return out
}

// oneLine keeps the letters of a text and turns everything else that moves a cursor into a blank: line ends would begin
// headers or paragraphs, and marks of writing direction would show a text that is not there.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r) && r != zeroWidthJoiner && r != zeroWidthNonJoiner, r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// The two format characters that belong to words: emoji and Persian are written with them.
const (
	zeroWidthJoiner    = '\u200d'
	zeroWidthNonJoiner = '\u200c'
)

// linkLike is what mail clients make clickable, generously: what has a slash or an at sign, and a word with a dot and a
// top-level domain, also with the dots of other scripts. "Dr. Grace Hopper" and "J.R.R. Tolkien" pass.
var linkLike = regexp.MustCompile(`[/\\@]|(?i)\bwww\b|[\pL\pN_-][.。．｡]\pL{2,}`)

// product is how programs name themselves: Firefox/128.0, Mobile/15E148.
var product = regexp.MustCompile(`\pL/\w+(\.\d+)*\b`)

func looksLikeLink(s string) bool { return linkLike.MatchString(product.ReplaceAllString(s, "x")) }

func shorten(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}
