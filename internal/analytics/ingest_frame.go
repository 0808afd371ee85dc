package analytics

import (
	"bufio"
	"errors"
	"io"
)

const maxRow = 1 << 20

// framer cuts a file into its objects without reading what is in them: those of one array, or those that stand one after
// the other. It counts lines, which a JSON decoder does not.
type framer struct {
	r    *bufio.Reader
	line int
	form form
	buf  []byte
}

// form is what the framer expects next.
type form int

const (
	atStart     form = iota
	inList           // NDJSON: an object or the end
	arrayOpen        // an object or ]
	arrayRow         // after a row: a comma or ]
	arrayComma       // after a comma: an object
	arrayClosed      // the end
)

// next gives the bytes of the next object, valid until the call after, and the line it begins in. The error is io.EOF at
// the end, a *RowError where the file is broken, or one of reading.
func (f *framer) next() ([]byte, int, error) {
	for {
		c, err := f.byte()
		if errors.Is(err, io.EOF) {
			switch f.form {
			case inList, arrayClosed:
				return nil, 0, io.EOF
			case atStart:
				return nil, 0, f.broken("the file is empty")
			case arrayOpen, arrayRow, arrayComma:
				return nil, 0, f.broken("the file ends inside its array")
			}
		}
		if err != nil {
			return nil, 0, err
		}
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		case c == '{' && f.form != arrayRow && f.form != arrayClosed:
			if f.form == arrayOpen || f.form == arrayComma {
				f.form = arrayRow
			} else {
				f.form = inList
			}
			return f.object()
		case c == '[' && f.form == atStart:
			f.form = arrayOpen
		case c == ',' && f.form == arrayRow:
			f.form = arrayComma
		case c == ']' && (f.form == arrayOpen || f.form == arrayRow):
			f.form = arrayClosed
		default:
			return nil, 0, f.broken("the file is neither an array of objects nor one object after the other")
		}
	}
}

// object reads up to the brace that closes the one just read.
func (f *framer) object() ([]byte, int, error) {
	begin := f.line
	f.buf = append(f.buf[:0], '{')
	inText, escaped := false, false
	for depth := 1; depth > 0; {
		c, err := f.byte()
		if errors.Is(err, io.EOF) {
			return nil, 0, &RowError{Line: begin, Reason: "the file ends inside the row that begins here", End: true}
		}
		if err != nil {
			return nil, 0, err
		}
		if f.buf = append(f.buf, c); len(f.buf) > maxRow {
			return nil, 0, &RowError{Line: begin, Reason: "the row that begins here does not end within 1 MiB", End: true}
		}
		switch {
		case escaped:
			escaped = false
		case inText:
			escaped, inText = c == '\\', c != '"'
		case c == '"':
			inText = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return f.buf, begin, nil
}

func (f *framer) byte() (byte, error) {
	c, err := f.r.ReadByte()
	if c == '\n' && err == nil {
		f.line++
	}
	return c, err
}

func (f *framer) broken(why string) *RowError {
	return &RowError{Line: f.line, Reason: why, End: true}
}
