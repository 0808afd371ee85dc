// Package ijson reads JSON as RFC 7493 (I-JSON) has it, and only that: whoever checks a text and whoever uses it see the
// same. encoding/json takes the last of two equal keys and replaces bytes that are no UTF-8, so what one part of a program
// checks need not be what another one uses.
//
// It stands at every door where others send JSON: what goes on to encoding/json has passed [Check].
package ijson

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a request may nest: 20 levels of a JSON scalar inside variables and an input, with room.
const maxDepth = 40

// Error is a text that is no JSON as RFC 8259 and RFC 7493 (I-JSON) have it. Its message says where, never what.
type Error struct {
	what string
	at   int
}

// Error implements error.
func (e *Error) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at) }

// Parse reads one JSON value: map[string]any, []any, string, bool, nil, and for numbers int64 where one fits, else
// float64. It refuses equal keys, bytes that are no UTF-8, lone surrogates and more than maxDepth levels.
func Parse(text []byte) (any, error) {
	if !utf8.Valid(text) {
		return nil, &Error{"bytes that are not UTF-8", 0}
	}
	p := parser{text: text}
	p.space()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at != len(text) {
		return nil, p.fail("something after the end")
	}
	return v, nil
}

// Check reports whether [Parse] would read the text: as an [Error] with its place.
func Check(text []byte) error {
	_, err := Parse(text)
	return err
}

type parser struct {
	text []byte
	at   int
}

func (p *parser) fail(what string) error { return &Error{what, p.at} }

func (p *parser) space() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

// peek is the next byte, or 0 at the end; a NUL byte in the text is legal nowhere outside of an escape.
func (p *parser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, p.fail("too many levels")
	}
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		return p.str()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	case p.word("null"):
		return nil, nil //nolint:nilnil // JSON has a null
	default:
		return nil, p.fail("no JSON value")
	}
}

func (p *parser) word(w string) bool {
	if !bytes.HasPrefix(p.text[p.at:], []byte(w)) {
		return false
	}
	p.at += len(w)
	return true
}

func (p *parser) object(depth int) (map[string]any, error) {
	p.at++
	m := map[string]any{}
	for p.space(); p.peek() != '}' || len(m) > 0; p.space() {
		if p.peek() != '"' {
			return nil, p.fail("no key")
		}
		begin := p.at
		key, err := p.str()
		if err != nil {
			return nil, err
		}
		if _, twice := m[key]; twice {
			return nil, &Error{"the same key twice", begin}
		}
		if p.space(); p.peek() != ':' {
			return nil, p.fail("no colon")
		}
		p.at++
		p.space()
		if m[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		if more, err := p.more('}'); err != nil || !more {
			return m, err
		}
	}
	p.at++
	return m, nil
}

func (p *parser) array(depth int) ([]any, error) {
	p.at++
	list := []any{}
	for p.space(); p.peek() != ']' || len(list) > 0; p.space() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		if more, err := p.more(']'); err != nil || !more {
			return list, err
		}
	}
	p.at++
	return list, nil
}

// more reads what follows an element: a comma, or the end.
func (p *parser) more(end byte) (bool, error) {
	p.space()
	switch p.peek() {
	case ',':
		p.at++
		return true, nil
	case end:
		p.at++
		return false, nil
	default:
		return false, p.fail("neither comma nor end")
	}
}

func (p *parser) number() (any, error) {
	begin := p.at
	digits := func() int {
		n := p.at
		for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
			p.at++
		}
		return p.at - n
	}
	if p.peek() == '-' {
		p.at++
	}
	leadingZero := p.peek() == '0'
	if n := digits(); n == 0 || leadingZero && n > 1 {
		return nil, &Error{"no number", begin}
	}
	whole := true
	if p.peek() == '.' {
		whole = false
		p.at++
		if digits() == 0 {
			return nil, &Error{"no number", begin}
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		whole = false
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if digits() == 0 {
			return nil, &Error{"no number", begin}
		}
	}
	text := string(p.text[begin:p.at])
	if whole {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, &Error{"a number out of range", begin}
	}
	return f, nil
}

func (p *parser) str() (string, error) {
	p.at++
	begin := p.at
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			s := string(p.text[begin:p.at])
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(append(make([]byte, 0, p.at-begin+32), p.text[begin:p.at]...))
		case c < 0x20:
			return "", p.fail("a control character")
		}
		p.at++
	}
	return "", p.fail("a text without end")
}

// escaped goes on with a text whose first escape was met.
func (p *parser) escaped(buf []byte) (string, error) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return string(buf), nil
		case c < 0x20:
			return "", p.fail("a control character")
		case c != '\\':
			buf = append(buf, c)
			p.at++
		default:
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			buf = utf8.AppendRune(buf, r)
		}
	}
	return "", p.fail("a text without end")
}

const (
	escapes  = `"\/bfnrt`
	escapees = "\"\\/\b\f\n\r\t"
)

func (p *parser) escape() (rune, error) {
	begin := p.at
	p.at++
	c := p.peek()
	if i := bytes.IndexByte([]byte(escapes), c); i >= 0 && c != 0 {
		p.at++
		return rune(escapees[i]), nil
	}
	r := p.unicode()
	if utf16.IsSurrogate(r) && p.peek() == '\\' {
		p.at++
		r = utf16.DecodeRune(r, p.unicode())
		if r == utf8.RuneError { // an escaped U+FFFD is no surrogate and never gets here
			r = -1
		}
	}
	if r < 0 || utf16.IsSurrogate(r) {
		return 0, &Error{"no escape", begin}
	}
	return r, nil
}

// unicode reads uXXXX; -1 when that is not there.
func (p *parser) unicode() rune {
	if p.peek() != 'u' || len(p.text) < p.at+5 {
		return -1
	}
	var r rune
	for _, c := range p.text[p.at+1 : p.at+5] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	p.at += 5
	return r
}
