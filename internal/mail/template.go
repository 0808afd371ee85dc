package mail

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	texttemplate "text/template"
)

//go:embed templates
var builtIn embed.FS

// The files that are no mails.
const (
	layoutFile   = "layout.tmpl"
	commonFile   = "common.tmpl"   // in each language
	messagesFile = "messages.json" // in each language
	extension    = ".tmpl"
)

// pair is one mail in one language. Its parts live in two sets, which parse the same files: what is plain text must not be
// escaped, and what is HTML must.
type pair struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// templates are all mails in all languages. It is immutable and safe for concurrent use.
type templates struct {
	negotiator
	product, publicURL string
	mails              map[string]map[string]pair // by language and name
}

// loadTemplates parses everything and tries each mail with sample data. All problems are told at once.
func loadTemplates(cfg Config) (*templates, error) {
	files, err := newFiles(cfg.Templates)
	if err != nil {
		return nil, err
	}
	t := &templates{product: cfg.Product, publicURL: cfg.PublicURL, mails: map[string]map[string]pair{}}
	locales, err := files.locales()
	if err != nil {
		return nil, err
	}
	if t.negotiator, err = newNegotiator(locales); err != nil {
		return nil, err
	}
	var errs []error
	for _, locale := range locales {
		mails, err := t.parse(files, locale)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.mails[locale] = mails
		for _, name := range slices.Sorted(maps.Keys(catalogue)) {
			if _, err := t.render(Message{Template: name, Locale: locale, Data: catalogue[name]}); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return t, errors.Join(errs...)
}

// parse reads the mails of one language.
func (t *templates) parse(files files, locale string) (map[string]pair, error) {
	messages, err := files.read(path.Join(locale, messagesFile))
	if err != nil {
		return nil, err
	}
	words, err := newPhrases(locale, messages)
	if err == nil {
		err = words.check()
	}
	if err != nil {
		return nil, fmt.Errorf("mail templates: %s of %s: %w", messagesFile, locale, err)
	}
	funcs := texttemplate.FuncMap{"plural": words.plural, "span": words.span, "date": words.date, "link": t.link, "dict": dict}
	base := pair{
		texttemplate.New("").Option("missingkey=error").Funcs(funcs),
		htmltemplate.New("").Option("missingkey=error").Funcs(funcs),
	}
	for _, name := range []string{layoutFile, path.Join(locale, commonFile)} {
		if err := base.add(files, name); err != nil {
			return nil, err
		}
	}
	var errs []error
	mails := make(map[string]pair, len(catalogue))
	for name := range catalogue {
		one, err := base.clone()
		if err == nil {
			err = one.add(files, path.Join(locale, name+extension))
		}
		errs = append(errs, err)
		mails[name] = one
	}
	return mails, errors.Join(errs...)
}

func (p pair) clone() (pair, error) {
	html, err := p.html.Clone()
	if err != nil {
		return pair{}, err
	}
	text, err := p.text.Clone()
	return pair{text, html}, err
}

// add parses one more file into both sets.
func (p pair) add(files files, name string) error {
	source, err := files.read(name)
	if err != nil {
		return err
	}
	if _, err := p.text.Parse(string(source)); err != nil {
		return fmt.Errorf("mail templates: %s: %w", name, err)
	}
	if _, err := p.html.Parse(string(source)); err != nil {
		return fmt.Errorf("mail templates: %s: %w", name, err)
	}
	return nil
}

// render gives what a mail says, in the language nearest to the one asked for. No input and no output: some 100 µs.
func (t *templates) render(m Message) (content, error) {
	locale := t.pick(m.Locale)
	p, known := t.mails[locale][m.Template]
	if !known {
		return content{}, fmt.Errorf("mail: there is no template %q", m.Template)
	}
	data := clean(m.Data)
	data["Product"], data["PublicURL"], data["Lang"] = t.product, t.publicURL, locale
	var subject, text, html strings.Builder
	err := errors.Join(
		p.text.ExecuteTemplate(&subject, "subject", data),
		p.text.ExecuteTemplate(&text, "text_page", data),
		p.html.ExecuteTemplate(&html, "html_page", data),
	)
	if err != nil {
		return content{}, fmt.Errorf("mail: %s in %s: %w", m.Template, locale, err)
	}
	return content{
		Subject: shorten(oneLine(subject.String()), maxText),
		Text:    strings.TrimSpace(text.String()) + "\n",
		HTML:    html.String(),
	}, nil
}

// link is a page of the site with a secret for it. The secret is in the fragment, which a browser keeps to itself: it is
// in no server's log, and whoever merely fetches the page, as scanners of mail do, has used nothing up.
func (t *templates) link(page, name, secret string) string {
	return t.publicURL + page + "#" + url.QueryEscape(name) + "=" + url.QueryEscape(secret)
}

// dict makes a map of names and values by turns.
func dict(pairs ...any) (map[string]any, error) {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errors.New("dict: a name is no text")
		}
		m[name] = pairs[i+1]
	}
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a name has no value")
	}
	return m, nil
}

// files are the built-in templates under those of the operator's folder.
type files struct {
	folder  string
	over    fs.FS // nil: no folder
	builtIn fs.FS
}

func newFiles(folder string) (files, error) {
	own, err := fs.Sub(builtIn, "templates")
	if err != nil || folder == "" {
		return files{builtIn: own}, err
	}
	f := files{folder, os.DirFS(folder), own}
	return f, f.check()
}

// check finds files in the folder that would never be used: a misspelt name would otherwise do nothing, silently.
func (f files) check() error {
	var errs []error
	err := fs.WalkDir(f.over, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != extension {
			return err
		}
		known := name == layoutFile
		if dir, file := path.Split(name); strings.Count(dir, "/") == 1 {
			_, mail := catalogue[strings.TrimSuffix(file, extension)]
			known = mail || file == commonFile
		}
		if !known {
			errs = append(errs, fmt.Errorf("mail templates: %s in %s replaces nothing", name, f.folder))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mail templates: folder %s: %w", f.folder, err)
	}
	return errors.Join(errs...)
}

// locales are the folders that have messages, the fallback first.
func (f files) locales() ([]string, error) {
	names := []string{fallback}
	for _, layer := range []fs.FS{f.builtIn, f.over} {
		if layer == nil {
			continue
		}
		found, err := fs.Glob(layer, "*/"+messagesFile)
		if err != nil {
			return nil, fmt.Errorf("mail templates: %w", err)
		}
		for _, name := range found {
			if locale := path.Dir(name); !slices.Contains(names, locale) {
				names = append(names, locale)
			}
		}
	}
	slices.Sort(names[1:])
	return names, nil
}

func (f files) read(name string) ([]byte, error) {
	if f.over != nil {
		b, err := fs.ReadFile(f.over, name)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("mail templates: %w", err)
		}
	}
	b, err := fs.ReadFile(f.builtIn, name)
	if err != nil {
		return nil, fmt.Errorf("mail templates: %w", err)
	}
	return b, nil
}
