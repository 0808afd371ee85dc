package mail

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden mails of testdata")

func goldenConfig(t testing.TB) Config {
	t.Helper()
	cfg, _, err := devConfig().withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func mustLoad(t testing.TB, cfg Config) *templates {
	t.Helper()
	ts, err := loadTemplates(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// variants are cases of mails besides their samples: what a template decides on.
func variants() map[string]Message {
	with := func(template string, changes map[string]any) Message {
		data := maps.Clone(catalogue[template])
		maps.Copy(data, changes)
		return Message{Template: template, Data: data}
	}
	return map[string]Message{
		"verify_email.no_name":           with("verify_email", map[string]any{"Name": "", "Minutes": 1}),
		"reset_password.by_admin":        with("reset_password", map[string]any{"ByAdmin": true, "Minutes": 2880}),
		"invitation.no_inviter":          with("invitation", map[string]any{"Inviter": "", "Days": 1}),
		"notice_recovery_used.one":       with("notice_recovery_used", map[string]any{"Left": 1}),
		"notice_recovery_used.last":      with("notice_recovery_used", map[string]any{"Left": 0}),
		"notice_disabled.no_origin":      with("notice_disabled", map[string]any{"IP": "", "Device": ""}),
		"notice_access_key.markup":       with("notice_access_key", map[string]any{"Key": `<b>&"'`}),
		"notice_password_changed.march":  with("notice_password_changed", map[string]any{"At": time.Date(2026, 3, 31, 23, 59, 59, 0, time.FixedZone("", 3600))}),
		"notice_new_device.long_and_odd": with("notice_new_device", map[string]any{"Device": "Zoé\u202e\r\n\r\nFirefox " + strings.Repeat("x", 400)}),
	}
}

// TestGolden shows every mail in every language as it leaves: subject and text in a .txt, the HTML to be looked at in a
// browser. Run with -update after a change of a template, and read the difference.
func TestGolden(t *testing.T) {
	t.Parallel()
	ts := mustLoad(t, goldenConfig(t))
	cases := variants()
	for name, sample := range catalogue {
		cases[name] = Message{Template: name, Data: sample}
	}
	want := map[string]bool{}
	for _, locale := range []string{"en", "de"} {
		for name, m := range cases {
			m.Locale = locale
			got, err := ts.render(m)
			if err != nil {
				t.Fatal(err)
			}
			base := filepath.Join("testdata", locale, name)
			golden(t, base+".txt", fmt.Sprintf("Subject: %s\n\n%s", got.Subject, got.Text))
			golden(t, base+".html", got.HTML)
			want[base+".txt"], want[base+".html"] = true, true
		}
	}
	found, err := filepath.Glob("testdata/??/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range found {
		if !want[name] {
			t.Errorf("%s belongs to no mail: remove it", name)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	now, then := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(now), len(then)) {
		if i >= len(now) || i >= len(then) || now[i] != then[i] {
			t.Errorf("%s differs in line %d; run with -update and read the difference", name, i+1)
			return
		}
	}
}

// everyMail calls f with each mail in each language.
func everyMail(t *testing.T, f func(t *testing.T, ts *templates, m Message, says content)) {
	t.Helper()
	ts := mustLoad(t, goldenConfig(t))
	for _, locale := range []string{"en", "de"} {
		for name, sample := range catalogue {
			m := Message{Template: name, Locale: locale, Data: sample}
			says, err := ts.render(m)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(locale+"/"+name, func(t *testing.T) { f(t, ts, m, says) })
		}
	}
}

func TestHTMLIsWellFormedAndWhole(t *testing.T) {
	t.Parallel()
	everyMail(t, func(t *testing.T, _ *templates, m Message, says content) {
		d := xml.NewDecoder(strings.NewReader(says.HTML))
		d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		depth := 0
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, says.HTML)
			}
			switch token.(type) {
			case xml.StartElement:
				depth++
			case xml.EndElement:
				depth--
			}
		}
		if depth != 0 {
			t.Errorf("%d elements are not closed", depth)
		}
		// What mail clients drop, fetch or choke on, and what html/template writes where it refuses a value.
		for _, never := range []string{"<script", "<img", "<link", "<form", "javascript:", "ZgotmplZ", "<no value>", "url(", "{{"} {
			// A picture that goes along is fetched from nowhere.
			if strings.Contains(strings.ReplaceAll(says.HTML, `<img src="cid:`, ""), never) {
				t.Errorf("the HTML holds %q", never)
			}
		}
		if !strings.Contains(says.HTML, `<html lang="`+m.Locale+`">`) {
			t.Error("the HTML does not name its language")
		}
		if len(says.HTML) > 20_000 { // Gmail cuts at 102 KB
			t.Errorf("the HTML has %d bytes", len(says.HTML))
		}
	})
}

func TestBothPartsSayTheSame(t *testing.T) {
	t.Parallel()
	everyMail(t, func(t *testing.T, ts *templates, m Message, says content) {
		for field, v := range m.Data {
			want := fmt.Sprint(v)
			switch v.(type) {
			case string:
			default:
				continue
			}
			if field == "Inviter" || field == "Link" || field == "Code" || field == "Name" || strings.HasPrefix(m.Template, "notice_") {
				if !strings.Contains(says.Text, want) || !strings.Contains(says.HTML, want) {
					t.Errorf("%s is not in both parts", field)
				}
			}
		}
		if strings.ContainsAny(says.Subject, "\r\n") || says.Subject == "" || len(says.Subject) > 90 {
			t.Errorf("subject %q", says.Subject)
		}
		if !strings.Contains(says.Text, ts.product) || strings.Contains(says.Text, "&#") || strings.Contains(says.Text, "<p>") {
			t.Errorf("text:\n%s", says.Text)
		}
	})
}

// Secrets travel in the fragment of the configured address: in no log of any server, out of reach of a fetching scanner,
// and never to a host that a request named.
func TestReq24LinksLeadToTheConfiguredURL(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"verify_email": "/verify#token=", "confirm_address": "/confirm#token=", "sign_in": "/sign-in/link#token=",
		"reset_password": "/reset#token=", "admin_link": "/reset#token=", "invitation": "/register#invitation=",
	}
	everyMail(t, func(t *testing.T, _ *templates, m Message, says content) {
		page, has := pages[m.Template]
		if _, secret := m.Data["Link"]; secret != has {
			t.Fatalf("the mail has a link: %v", secret)
		}
		for _, part := range []string{says.Text, says.HTML} {
			if has && !strings.Contains(part, "https://book.example"+page+sampleLink) {
				t.Error("the link is not there")
			}
			for rest := part; ; {
				_, after, found := strings.Cut(rest, "://")
				if !found {
					break
				}
				if !strings.HasPrefix(after, "book.example") {
					t.Errorf("a link leads to %.40s", after)
				}
				rest = after
			}
			if n := strings.Count(part, sampleLink); n != strings.Count(part, page+sampleLink) {
				t.Error("the secret is elsewhere than in a fragment")
			}
		}
		if strings.Contains(says.Subject, sampleLink) || strings.Contains(says.Subject, "482913") {
			t.Error("the subject, which phones show while locked, holds a secret")
		}
	})
}

func TestCodesAreNotInOtherMails(t *testing.T) {
	t.Parallel()
	ts := mustLoad(t, goldenConfig(t))
	says, err := ts.render(variants()["reset_password.by_admin"])
	if err != nil {
		t.Fatal(err)
	}
	// Who did not ask for the reset has no page open that asks for the code.
	if strings.Contains(says.Text, "482913") || strings.Contains(says.HTML, "482913") {
		t.Error("a reset that an administrator began shows a code")
	}
}

// FuzzRender: whatever people call themselves and their devices, a subject has one line, the text keeps its form, and the
// HTML holds no element that the template has not.
func FuzzRender(f *testing.F) {
	f.Add("Ada", "Firefox", "my key")
	f.Add("Eve\r\nBcc: all@example.org", "x\n\nYour code: https://evil.example", `"><script>alert(1)</script>`)
	f.Add("evil.com", "\u202egnp.exe", "\xff\x00{{.Code}}")
	f.Add("http://evil.example/login", "evil。com", strings.Repeat("ß", 1000))
	cfg, _, err := devConfig().withDefaults()
	if err != nil {
		f.Fatal(err)
	}
	ts, err := loadTemplates(cfg)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := ts.render(Message{Template: "notice_access_key", Data: catalogue["notice_access_key"]})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, device, key string) {
		data := maps.Clone(catalogue["notice_access_key"])
		data["Name"], data["Device"], data["Key"] = name, device, key
		says, err := ts.render(Message{Template: "notice_access_key", Data: data})
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(says.Subject, "\r\n") || says.Subject != plain.Subject {
			t.Errorf("subject %q", says.Subject)
		}
		if got, want := strings.Count(says.Text, "\n"), strings.Count(plain.Text, "\n"); got > want || strings.Contains(says.Text, "\r") {
			t.Errorf("the text has %d lines, not %d", got, want)
		}
		if strings.Count(says.HTML, "<") > strings.Count(plain.HTML, "<") {
			t.Errorf("the HTML has more elements:\n%s", says.HTML)
		}
		greeting, _, _ := strings.Cut(says.Text, "\n")
		if strings.Contains(greeting, "://") || strings.Contains(greeting, "www.") || len([]rune(greeting)) > 80 {
			t.Errorf("greeting %q", greeting)
		}
	})
}
