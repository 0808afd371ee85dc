package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mask stands for a secret that is set.
const Mask = "********"

// Setting is one thing that can be set: its documentation, and what it was set to.
type Setting struct {
	Key     string // in the file: "mongodb.uri"
	Flag    string // on the command line, without dashes: "mongodb-uri"
	Env     string // in the environment: "MONGODB_URI"
	Group   string
	Help    string
	Default string
	OneOf   []string // the allowed words; nil for any
	Secret  bool
	Origin  string // where the value comes from: "default", "flag --listen", "environment X", "x.yaml:3"

	least, most string
	field       reflect.Value
}

// settingsOf lists the settings of c in the order of its fields; their values are the fields themselves.
func settingsOf(c *Config) []*Setting {
	return fields(reflect.ValueOf(c).Elem(), "", "")
}

func fields(v reflect.Value, path, group string) []*Setting {
	var all []*Setting
	for i := range v.NumField() {
		f, tag := v.Type().Field(i), v.Type().Field(i).Tag
		if prefix, nested := tag.Lookup("prefix"); nested {
			all = append(all, fields(v.Field(i), path+strings.TrimSuffix(prefix, "-")+".", tag.Get("group"))...)
			continue
		}
		name := cmp.Or(tag.Get("name"), kebab(f.Name))
		s := &Setting{
			Key: path + name, Flag: strings.ReplaceAll(path, ".", "-") + name,
			Group: cmp.Or(tag.Get("group"), group), Help: tag.Get("help"), Default: tag.Get("def"),
			Origin: originDefault, least: tag.Get("min"), most: tag.Get("max"), field: v.Field(i),
		}
		s.Env = cmp.Or(tag.Get("env"), envPrefix+strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_")))
		_, s.Secret = tag.Lookup("secret")
		if words := tag.Get("oneof"); words != "" {
			s.OneOf = strings.Split(words, ",")
		}
		all = append(all, s)
	}
	return all
}

// kebab makes data-dir of DataDir, as kong does.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// set reads a text into the field and checks it by the tags.
func (s *Setting) set(text string) error {
	if s.OneOf != nil && !slices.Contains(s.OneOf, text) {
		return fmt.Errorf("must be one of %s", strings.Join(s.OneOf, ", "))
	}
	if s.Secret && text == Mask {
		return fmt.Errorf("is masked: %s stands for the secret, it is not the secret", Mask)
	}
	switch v := s.field.Addr().Interface().(type) {
	case *string:
		*v = text
		return nil
	case *[]string:
		*v = list(text)
		return nil
	case *bool:
		b, err := strconv.ParseBool(text)
		*v = b
		return worded(err, "must be true or false")
	case *int:
		n, err := strconv.Atoi(text)
		*v = n
		return cmp.Or(worded(err, "must be a whole number"), within(s, n, strconv.Atoi))
	case *float64:
		n, err := strconv.ParseFloat(text, 64)
		*v = n
		return cmp.Or(worded(err, "must be a number"), within(s, n, func(t string) (float64, error) { return strconv.ParseFloat(t, 64) }))
	case *time.Duration:
		d, err := time.ParseDuration(text)
		*v = d
		return cmp.Or(worded(err, "must be a duration such as 500ms, 10s or 24h"), within(s, d, time.ParseDuration))
	default:
		panic("config: no way to read a " + s.field.Type().String()) // the programmer's: any test finds it
	}
}

// worded hides what strconv says, which quotes the text: it may be a secret in the wrong place.
func worded(err error, msg string) error {
	if err != nil {
		return errors.New(msg)
	}
	return nil
}

func within[T cmp.Ordered](s *Setting, v T, parse func(string) (T, error)) error {
	if s.least == "" {
		return nil
	}
	least, err := parse(s.least)
	if err != nil {
		return err
	}
	most, err := parse(s.most)
	if err != nil {
		return err
	}
	if v < least || v > most {
		return fmt.Errorf("must be between %s and %s", s.least, s.most)
	}
	return nil
}

// list splits at commas; blanks around the parts and empty parts are left out.
func list(text string) []string {
	var parts []string
	for p := range strings.SplitSeq(text, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// Text is the value as it could be written in a file; a secret that is set is [Mask].
func (s *Setting) Text() string {
	var text string
	switch v := s.field.Interface().(type) {
	case []string:
		text = strings.Join(v, ",")
	case time.Duration:
		text = v.String()
	default:
		text = fmt.Sprint(v)
	}
	if s.Secret && text != "" {
		return Mask
	}
	return text
}
