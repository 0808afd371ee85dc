package mail

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckData(t *testing.T) {
	t.Parallel()
	good := func(change func(map[string]any)) map[string]any {
		data := maps.Clone(catalogue["reset_password"])
		change(data)
		return data
	}
	for name, tc := range map[string]struct {
		template string
		data     map[string]any
		want     string // in the error; empty: none
	}{
		"as it should be": {"reset_password", good(func(map[string]any) {}), ""},
		"no data wanted":  {"unknown_account", nil, ""},
		"unknown":         {"newsletter", nil, `"newsletter"`},
		"missing":         {"reset_password", good(func(d map[string]any) { delete(d, "ByAdmin") }), "ByAdmin of type bool"},
		"wrong type":      {"reset_password", good(func(d map[string]any) { d["Minutes"] = int64(5) }), "Minutes of type int"},
		"empty link":      {"reset_password", good(func(d map[string]any) { d["Link"] = "" }), "empty Link"},
		"nil":             {"reset_password", good(func(d map[string]any) { d["Link"] = nil }), "Link of type string"},
		"too much":        {"reset_password", good(func(d map[string]any) { d["Password"] = "s3cret" }), "given 6 fields"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkData(tc.template, tc.data)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("checkData() = %v; want %q", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Error("the error quotes a value")
			}
		})
	}
}

func TestNamesThatLookLikeLinksAreLeftOut(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]bool{
		"Ada": true, "Grace Hopper": true, "Dr. Grace Hopper": true, "J.R.R. Tolkien": true, "Zoë O’Hara-Łukasz": true, "山田 太郎": true,
		"Ada the 1st.": true, "Martin Luther King, Jr.": true, "": true,
		"evil.com": false, "Win at evil.example now": false, "http://evil": false, "evil。com": false, "evil．com": false, "//evil": false,
		`\\evil\share`: false, "mail me@evil": false, "WWW evil com": false, "evil.xn--p1ai": false, "кошелёк.рф": false,
		"a/evil.com": false, "evil/1.com": false, "evil.com/5": false, strings.Repeat("A", 61): false,
	} {
		want := ""
		if keep {
			want = name
		}
		if got := clean(map[string]any{"Name": name})["Name"]; got != want {
			t.Errorf("Name %q becomes %q", name, got)
		}
		if got := clean(map[string]any{"Inviter": name})["Inviter"]; got != want {
			t.Errorf("Inviter %q becomes %q", name, got)
		}
	}
}

func TestDevicesKeepTheirUsualNames(t *testing.T) {
	t.Parallel()
	for device, keep := range map[string]bool{
		"Firefox on Linux": true, "curl/8.5.0": true, "Go-http-client/1.1": true,
		"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0":                                                                  true,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1": true,
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87":       true,
		"Mozilla/5.0 (compatible; Bot/2.1; +http://evil.example/bot.html)":                                                                        false,
		"your account was hacked, call evil.example":                                                                                              false,
	} {
		want := ""
		if keep {
			want = device
		}
		if got := clean(map[string]any{"Device": device})["Device"]; got != want {
			t.Errorf("Device %q becomes %q", device, got)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                        "plain",
		"a\r\nBcc: b@example.org":      "a Bcc: b@example.org",
		" a \t b\u2028c\u00a0d\u0085 ": "a b c d",
		"nul\x00 bell\a esc\x1b[2J":    "nul bell esc [2J",
		"\u202egnp.exe\u2066\u200b!":   "gnp.exe!",
		"👩\u200d🚀 می\u200cخواهم":       "👩\u200d🚀 می\u200cخواهم",
		"bad \xff utf-8":               "bad utf-8",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestSecretsAreNotCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	got := clean(map[string]any{"Link": long, "Code": "1 2", "Key": long, "Minutes": 5})
	if got["Link"] != long || got["Code"] != "1 2" || got["Minutes"] != 5 {
		t.Errorf("clean() = %v", got)
	}
	if key := got["Key"].(string); utf8.RuneCountInString(key) != maxText || !strings.HasSuffix(key, "…") {
		t.Errorf("a long text has %d runes", utf8.RuneCountInString(key))
	}
}
