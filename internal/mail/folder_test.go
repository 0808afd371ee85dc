package mail

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write makes a folder of templates.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const ownMail = `{{define "subject"}}Hi {{.Name}}{{end}}{{define "text"}}own {{.Code}} {{link "/x" "t" .Link}} {{.Minutes}}{{end}}{{define "html"}}<p>own {{.Name}}</p>{{end}}`

func TestFolderReplacesTemplates(t *testing.T) {
	t.Parallel()
	cfg := goldenConfig(t)
	cfg.Templates = write(t, map[string]string{"en/sign_in.tmpl": ownMail, "README": "not a template", "en/.sign_in.tmpl.swp": "{{"})
	ts := mustLoad(t, cfg)
	m := signIn("")
	says, err := ts.render(m)
	if err != nil {
		t.Fatal(err)
	}
	if says.Subject != "Hi Ada" || !strings.HasPrefix(says.Text, "own 482913 https://book.example/x#t=bbl_theSecret 15") ||
		!strings.Contains(says.HTML, "<p>own Ada</p>") || !strings.Contains(says.HTML, "</html>") {
		t.Errorf("rendered %+v", says)
	}
	m.Locale = "de"
	if says, _ = ts.render(m); !strings.HasPrefix(says.Subject, "Anmeldung") {
		t.Errorf("German, which nobody replaced, is %q", says.Subject)
	}
}

func TestFolderAddsALanguage(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for _, name := range append(slices.Collect(maps.Keys(catalogue)), "common") {
		b, err := os.ReadFile(filepath.Join("templates", "en", name+".tmpl"))
		if err != nil {
			t.Fatal(err)
		}
		files["pl/"+name+".tmpl"] = string(b)
	}
	const months = `"month_1": "stycznia", "month_2": "lutego", "month_3": "marca", "month_4": "kwietnia", "month_5": "maja", "month_6": "czerwca",
		"month_7": "lipca", "month_8": "sierpnia", "month_9": "września", "month_10": "października", "month_11": "listopada", "month_12": "grudnia"`
	noun := func(one, few, many string) string {
		return fmt.Sprintf(`{"one": "{{.N}} %s", "few": "{{.N}} %s", "many": "{{.N}} %s", "other": "{{.N}} %s"}`, one, few, many, few)
	}
	files["pl/messages.json"] = fmt.Sprintf(`{"minutes": %s, "hours": %s, "days": %s, "codes": %s, "date": "{{.Day}} {{.Month}} {{.Year}}, {{.Time}} UTC", %s}`,
		noun("minuta", "minuty", "minut"), noun("godzina", "godziny", "godzin"), noun("dzień", "dni", "dni"), noun("kod", "kody", "kodów"), months)
	cfg := goldenConfig(t)
	cfg.Templates = write(t, files)
	ts := mustLoad(t, cfg)
	if got := ts.pick("pl-PL"); got != "pl" {
		t.Fatalf("pl-PL is written in %s", got)
	}
	m := Message{Template: "notice_recovery_used", Locale: "pl", Data: maps.Clone(catalogue["notice_recovery_used"])}
	for left, want := range map[int]string{1: "1 kod ", 2: "2 kody", 5: "5 kodów", 22: "22 kody"} { // by the rules of CLDR
		m.Data["Left"] = left
		says, err := ts.render(m)
		if err != nil || !strings.Contains(says.Text, want) || !strings.Contains(says.Text, "2 stycznia 2026, 03:04 UTC") {
			t.Errorf("%d left: %v\n%s", left, err, says.Text)
		}
	}

	// Half a language is refused, and each thing that is missing named.
	delete(files, "pl/sign_in.tmpl")
	delete(files, "pl/invitation.tmpl")
	cfg.Templates = write(t, files)
	if _, err := loadTemplates(cfg); err == nil || !strings.Contains(err.Error(), "pl/sign_in.tmpl") || !strings.Contains(err.Error(), "pl/invitation.tmpl") {
		t.Errorf("loading half a language: %v", err)
	}
	files["pl/messages.json"] = strings.ReplaceAll(files["pl/messages.json"], `"few"`, `"two"`)
	cfg.Templates = write(t, files)
	if _, err := loadTemplates(cfg); err == nil || !strings.Contains(err.Error(), "few") {
		t.Errorf("loading a language without its plural forms: %v", err)
	}
}

func TestBrokenTemplatesAreFoundAtStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"syntax":           {map[string]string{"en/sign_in.tmpl": "{{define"}, "en/sign_in.tmpl"},
		"unknown field":    {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, ".Code", ".Coed")}, "Coed"},
		"unknown function": {map[string]string{"de/sign_in.tmpl": strings.ReplaceAll(ownMail, "link", "lnk")}, "lnk"},
		"no subject":       {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, "subject", "sub")}, "subject"},
		"no text":          {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, `"text"`, `"txt"`)}, "text"},
		"no HTML":          {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, `"html"`, `"htm"`)}, "html"},
		"open attribute":   {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, "<p>", `<p title="`)}, "html"},
		"misspelt mail":    {map[string]string{"en/singin.tmpl": ownMail}, "en/singin.tmpl"},
		"wrong place":      {map[string]string{"sign_in.tmpl": ownMail}, "replaces nothing"},
		"too deep":         {map[string]string{"en/x/sign_in.tmpl": ownMail}, "replaces nothing"},
		"no such noun":     {map[string]string{"en/messages.json": `{"minutes": {"other": "x"}}`}, "messages.json of en"},
		"no JSON":          {map[string]string{"de/messages.json": `{`}, "messages.json of de"},
		"no language":      {map[string]string{"!!/messages.json": `{}`}, `"!!"`},
		"odd dict":         {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, "own {{.Code}}", `{{dict "a"}}`)}, "no value"},
		"dict of numbers":  {map[string]string{"en/sign_in.tmpl": strings.ReplaceAll(ownMail, "own {{.Code}}", `{{dict 1 2}}`)}, "no text"},
		"two at once":      {map[string]string{"en/sign_in.tmpl": "{{", "de/invitation.tmpl": "{{"}, "de/invitation.tmpl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := goldenConfig(t)
			cfg.Templates = write(t, tc.files)
			if _, err := loadTemplates(cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("loading = %v; want %q in it", err, tc.want)
			}
		})
	}
	cfg := goldenConfig(t)
	cfg.Templates = filepath.Join(t.TempDir(), "absent")
	if _, err := loadTemplates(cfg); err == nil {
		t.Error("a folder that is not there passed")
	}
}
