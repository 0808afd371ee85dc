package mail

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// fallback is the language for whoever asks for none or for one that is not here.
const fallback = "en"

// maxLocale bounds what is parsed: no language tag in use is near it.
const maxLocale = 64 // bytes

// negotiator finds the language of a mail.
type negotiator struct {
	names   []string // as the folders are called; the first is the fallback
	matcher language.Matcher
}

// newNegotiator takes the names of the languages there are, the fallback first.
func newNegotiator(names []string) (negotiator, error) {
	var errs []error
	tags := make([]language.Tag, len(names))
	for i, name := range names {
		tag, err := language.Parse(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("mail templates: the folder %q is not named after a language", name))
		}
		tags[i] = tag
	}
	return negotiator{names, language.NewMatcher(tags)}, errors.Join(errs...)
}

// pick gives the best language for a tag such as "de-AT"; the fallback when none is near.
func (n negotiator) pick(asked string) string {
	if len(asked) > maxLocale {
		return n.names[0]
	}
	tag, err := language.Parse(asked)
	if err != nil {
		return n.names[0]
	}
	_, i, confidence := n.matcher.Match(tag)
	if confidence == language.No {
		return n.names[0]
	}
	return n.names[i]
}

// phrases are the words of one language that depend on a number or a date. A phrase that is missing, or has not the plural
// forms of its language, is an error.
type phrases struct{ of *i18n.Localizer }

// newPhrases reads a messages.json. Each language has a bundle of its own: in a common one the library would fill gaps with
// another language.
func newPhrases(locale string, file []byte) (*phrases, error) {
	tag, err := language.Parse(locale)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", locale, err)
	}
	bundle := i18n.NewBundle(tag)
	if _, err := bundle.ParseMessageBytes(tag, file, json.Unmarshal); err != nil {
		return nil, fmt.Errorf("%s: %w", locale, err)
	}
	return &phrases{i18n.NewLocalizer(bundle, locale)}, nil
}

// plural is a number with its noun: "1 day", "7 days".
func (p *phrases) plural(noun string, n int) (string, error) {
	return p.of.Localize(&i18n.LocalizeConfig{MessageID: noun, PluralCount: n, TemplateData: map[string]any{"N": n}})
}

// span is minutes as people say them: days and hours where they come out even and there are at least two of them (days)
// or one (hours).
func (p *phrases) span(minutes int) (string, error) {
	const hour, day = 60, 24 * 60
	switch {
	case minutes >= 2*day && minutes%day == 0:
		return p.plural("days", minutes/day)
	case minutes >= hour && minutes%hour == 0:
		return p.plural("hours", minutes/hour)
	}
	return p.plural("minutes", minutes)
}

// date is a time in UTC, to the minute, and says so: nobody has told where the reader is.
func (p *phrases) date(at time.Time) (string, error) {
	at = at.UTC()
	month, err := p.of.Localize(&i18n.LocalizeConfig{MessageID: "month_" + strconv.Itoa(int(at.Month()))})
	if err != nil {
		return "", err
	}
	return p.of.Localize(&i18n.LocalizeConfig{MessageID: "date", TemplateData: map[string]any{
		"Day": at.Day(), "Month": month, "Year": at.Year(), "Time": at.Format("15:04"),
	}})
}

// check tries every phrase with numbers of every plural form of the languages there are: one, few, many, other.
func (p *phrases) check() error {
	var errs []error
	for _, noun := range []string{"minutes", "hours", "days", "codes"} {
		for _, n := range []int{0, 1, 2, 3, 5, 6, 11, 21, 100, 1_000_000} {
			if _, err := p.plural(noun, n); err != nil {
				errs = append(errs, err)
				break
			}
		}
	}
	for m := time.January; m <= time.December; m++ {
		if _, err := p.date(time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC)); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
