package mail

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPick(t *testing.T) {
	t.Parallel()
	ts := mustLoad(t, goldenConfig(t))
	for asked, want := range map[string]string{
		"": "en", "en": "en", "en-GB": "en", "de": "de", "de-AT": "de", "DE_ch": "de", "de-Latn-DE-1996": "de", "gsw": "de", "fr": "en",
		"zh-Hant-TW": "en", "x-klingon": "en", "!": "en", "de, en;q=0.5": "en", "und": "en", "\xff": "en", strings.Repeat("de-", 50): "en",
	} {
		if got := ts.pick(asked); got != want {
			t.Errorf("pick(%q) = %q; want %q", asked, got, want)
		}
	}
}

func FuzzPick(f *testing.F) {
	for _, seed := range []string{"", "de", "de-AT", "zh-Hant-TW", "x-a-b", "en-u-ca-buddhist", "de-1996-1901", "i-klingon"} {
		f.Add(seed)
	}
	n, err := newNegotiator([]string{"en", "de"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		if got := n.pick(asked); !slices.Contains(n.names, got) {
			t.Errorf("pick(%q) = %q, which there is not", asked, got)
		}
	})
}

func TestPhrases(t *testing.T) {
	t.Parallel()
	files, err := newFiles("")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]*phrases{}
	for _, locale := range []string{"en", "de"} {
		raw, err := files.read(locale + "/messages.json")
		if err == nil {
			words[locale], err = newPhrases(locale, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		locale  string
		minutes int
		want    string
	}{
		{"en", 1, "1 minute"},
		{"en", 15, "15 minutes"},
		{"en", 59, "59 minutes"},
		{"en", 60, "1 hour"},
		{"en", 90, "90 minutes"},
		{"en", 1440, "24 hours"},
		{"en", 2880, "2 days"},
		{"en", 2940, "49 hours"},
		{"en", 0, "0 minutes"},
		{"de", 1, "1 Minute"},
		{"de", 15, "15 Minuten"},
		{"de", 60, "1 Stunde"},
		{"de", 1440, "24 Stunden"},
		{"de", 10080, "7 Tage"},
	} {
		if got, err := words[tc.locale].span(tc.minutes); err != nil || got != tc.want {
			t.Errorf("%s: span(%d) = %q, %v; want %q", tc.locale, tc.minutes, got, err, tc.want)
		}
	}
	at := time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("CET", 3600))
	for locale, want := range map[string]string{"en": "28 February 2026 at 23:30 UTC", "de": "28. Februar 2026 um 23:30 Uhr (UTC)"} {
		if got, err := words[locale].date(at); err != nil || got != want {
			t.Errorf("%s: date() = %q, %v; want %q", locale, got, err, want)
		}
	}
	if _, err := words["en"].plural("parsecs", 2); err == nil {
		t.Error("an unknown noun passed")
	}
}
