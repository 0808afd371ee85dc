package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/backendbook/backendbook/internal/ijson"
)

const (
	bufferSize = 64 << 10
	byteOrder  = "\uFEFF"                // the mark some programs begin a text with
	again      = `[""`                   // what an array begins with that goes on
	ahead      = 2*MaxRow + 2*bufferSize // what a parser may take in for one row, as it reads more than it needs
)

// Reader reads rows.
type Reader struct {
	next func() (Row, error)
	at   Position
	end  error // why there is nothing more
}

// NewReader reads rows of src, which begins at from.Offset of the whole.
//
// Errors: TABLE_FORMAT; TABLE_INVALID for a header that is no good; those of src.
func NewReader(f Format, src io.Reader, from Position) (*Reader, error) {
	g := &gate{src: src, left: ahead}
	in := bufio.NewReaderSize(g, bufferSize)
	r := &Reader{at: from}
	if from.Offset == 0 {
		if mark, _ := in.Peek(len(byteOrder)); string(mark) == byteOrder {
			_, _ = in.Discard(len(byteOrder))
			r.at.Offset = int64(len(byteOrder))
		}
	}
	switch f {
	case CSV:
		return r, r.openCSV(in, g)
	case JSON:
		return r, r.openJSON(in, g)
	case NDJSON:
		r.next = func() (Row, error) { return r.line(in, g) }
		return r, nil
	case XLSX: // only written
		fallthrough
	default:
		return nil, ErrFormat
	}
}

// Next gives the next row. After an error that [Continues] allows, the row has its number and no value, and the one after it
// can be read. The end is io.EOF.
//
// Errors: TABLE_ROW_INVALID and TABLE_INVALID, both with the detail row; those of the source.
func (r *Reader) Next() (Row, error) {
	if r.end != nil {
		return Row{}, r.end
	}
	row, err := r.next()
	if err != nil && !Continues(err) {
		r.end = err
	}
	return row, err
}

// Position is where the reader is: after the row that Next gave last.
func (r *Reader) Position() Position { return r.at }

// gate lets through only so many bytes for one row, so that no parser takes in a table without end.
type gate struct {
	src  io.Reader
	left int
}

var errTooLarge = errors.New("table: a row is too large")

func (g *gate) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, errTooLarge
	}
	n, err := g.src.Read(p[:min(len(p), g.left)])
	g.left -= n
	return n, err
}

// line reads a row of NDJSON.
func (r *Reader) line(in *bufio.Reader, g *gate) (Row, error) {
	for {
		text, size, err := readLine(in, g)
		r.at.Offset += size
		if size == 0 {
			return Row{}, err
		}
		r.at.Number++
		row := Row{Number: r.at.Number}
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return row, err
		case size > MaxRow:
			return row, badRow(row.Number, "line %d is larger than %d bytes", row.Number, MaxRow)
		case len(bytes.TrimSpace(text)) == 0:
			continue
		}
		row.Value, err = object(row.Number, text)
		return row, err
	}
}

// readLine reads to the end of a line and keeps MaxRow bytes of it. The last one may end with io.EOF.
func readLine(in *bufio.Reader, g *gate) (text []byte, size int64, err error) {
	for {
		g.left = ahead
		part, err := in.ReadSlice('\n')
		size += int64(len(part))
		if size <= MaxRow {
			text = append(text, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, size, err
		}
	}
}

// object reads one JSON object.
func object(n int64, text []byte) (map[string]any, error) {
	if err := ijson.Check(text); err != nil { // of two equal keys the decoder would take one, and put letters where there are none
		return nil, badRow(n, "row %d is not usable JSON: %v", n, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, badRow(n, "row %d is not JSON: %v", n, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, badRow(n, "row %d is not an object", n)
	}
	return m, nil
}

// openJSON finds out whether there is an array, and goes on within one where another reader stopped.
func (r *Reader) openJSON(in *bufio.Reader, g *gate) error {
	first, err := r.skipSpace(in, g)
	if err != nil {
		return err
	}
	var src io.Reader = in
	base := r.at.Offset
	switch {
	case r.at.Number == 0 && first == '[':
		r.at.Array = true
	case r.at.Array: // what is left begins after an item: make it an array again, with an item before it
		src = io.MultiReader(strings.NewReader(again), in)
		base -= int64(len(again))
	}
	d := json.NewDecoder(src)
	if r.at.Array {
		if _, err := d.Token(); err != nil {
			return badTable(0, "the table is not JSON: %v", err)
		}
	}
	if r.at.Number > 0 && r.at.Array {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("go on after item %d: %w", r.at.Number, err)
		}
	}
	r.next = func() (Row, error) { return r.item(d, base, g) }
	return nil
}

// skipSpace looks at the first byte that is no space; 0 when there is none.
func (r *Reader) skipSpace(in *bufio.Reader, g *gate) (byte, error) {
	for {
		g.left = ahead
		b, err := in.ReadByte()
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, err
		case !strings.ContainsRune(" \t\r\n", rune(b)):
			return b, in.UnreadByte()
		}
		r.at.Offset++
	}
}

// item reads a row of JSON. The syntax of the whole must be right, as nobody knows where the next item begins otherwise.
func (r *Reader) item(d *json.Decoder, base int64, g *gate) (Row, error) {
	g.left = ahead
	if r.at.Array && !d.More() {
		return Row{}, r.closeArray(d, base)
	}
	row := Row{Number: r.at.Number + 1}
	var text json.RawMessage
	switch err := d.Decode(&text); {
	case errors.Is(err, io.EOF) && !r.at.Array:
		return Row{}, io.EOF
	case errors.Is(err, errTooLarge):
		return row, badTable(row.Number, "item %d is far larger than %d bytes", row.Number, MaxRow)
	case isSyntax(err):
		return row, badTable(row.Number, "item %d is not JSON: %v", row.Number, err)
	case err != nil:
		return row, fmt.Errorf("read item %d: %w", row.Number, err)
	}
	r.at.Number, r.at.Offset = row.Number, base+d.InputOffset()
	if len(text) > MaxRow {
		return row, badRow(row.Number, "item %d is larger than %d bytes", row.Number, MaxRow)
	}
	var err error
	row.Value, err = object(row.Number, text)
	return row, err
}

func isSyntax(err error) bool {
	var s *json.SyntaxError
	return errors.As(err, &s) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// closeArray reads the end of an array, which must be there: a table that was cut off is not taken for a whole one.
func (r *Reader) closeArray(d *json.Decoder, base int64) error {
	n := r.at.Number + 1
	if t, err := d.Token(); err != nil || t != json.Delim(']') {
		if err != nil && !isSyntax(err) {
			return fmt.Errorf("read item %d: %w", n, err)
		}
		return badTable(n, "the array does not end after item %d", n-1)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return badTable(n, "there is more after the end of the array")
	}
	r.at.Offset = base + d.InputOffset()
	return io.EOF
}

// openCSV reads the header, unless another reader did.
func (r *Reader) openCSV(in *bufio.Reader, g *gate) error {
	base, lines := r.at.Offset, r.at.Number
	header := r.at.Columns == nil
	if header {
		r.at.Comma = string(sniff(in))
	}
	c := csv.NewReader(in)
	c.Comma, _ = utf8.DecodeRuneInString(r.at.Comma)
	c.FieldsPerRecord = -1
	r.next = func() (Row, error) { return r.record(c, base, lines, g) }
	if !header {
		return nil
	}
	names, err := c.Read()
	switch {
	case errors.Is(err, io.EOF):
		return badTable(1, "the table has no header")
	case err != nil:
		return badTable(1, "the header can not be read: %v", err)
	}
	r.at.Offset, r.at.Number = base+c.InputOffset(), lines+lastLine(c, names)
	r.at.Columns, err = columns(names)
	return err
}

// columns checks the names of a header.
func columns(names []string) ([]string, error) {
	if len(names) > MaxColumns {
		return nil, badTable(1, "the table has more than %d columns", MaxColumns)
	}
	seen := map[string]bool{}
	for i, name := range names {
		name = strings.TrimSpace(name)
		if name == "" || seen[name] || !utf8.ValidString(name) {
			return nil, badTable(1, "column %d of the header has no name, that of another one, or one that is not UTF-8: %q", i+1, name)
		}
		seen[name], names[i] = true, name
	}
	return names, nil
}

// record reads a row of CSV.
func (r *Reader) record(c *csv.Reader, base, lines int64, g *gate) (Row, error) {
	g.left = ahead
	before := c.InputOffset()
	fields, err := c.Read()
	var bad *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return Row{}, io.EOF
	case errors.Is(err, errTooLarge):
		return Row{Number: r.at.Number + 1}, badTable(r.at.Number+1, "the record after line %d is far too large", r.at.Number)
	case errors.As(err, &bad):
		r.at.Offset, r.at.Number = base+c.InputOffset(), lines+int64(bad.Line)
		n := lines + int64(bad.StartLine)
		return Row{Number: n}, badRow(n, "the record of line %d: %v", n, bad.Err)
	case err != nil:
		return Row{}, fmt.Errorf("read the record after line %d: %w", r.at.Number, err)
	}
	start, _ := c.FieldPos(0)
	row := Row{Number: lines + int64(start)}
	r.at.Offset, r.at.Number = base+c.InputOffset(), lines+lastLine(c, fields)
	switch {
	case c.InputOffset()-before > MaxRow:
		return row, badRow(row.Number, "the record of line %d is larger than %d bytes", row.Number, MaxRow)
	case len(fields) != len(r.at.Columns):
		return row, badRow(row.Number, "line %d has %d fields, the header %d", row.Number, len(fields), len(r.at.Columns))
	}
	row.Value = make(map[string]any, len(fields))
	for i, f := range fields {
		if !utf8.ValidString(f) {
			return Row{Number: row.Number}, badRow(row.Number, "column %s of line %d is not UTF-8", r.at.Columns[i], row.Number)
		}
		row.Value[r.at.Columns[i]] = f
	}
	return row, nil
}

// lastLine is the line a record ends on: a quoted field may have several.
func lastLine(c *csv.Reader, fields []string) int64 {
	last := len(fields) - 1
	line, _ := c.FieldPos(last)
	return int64(line + strings.Count(fields[last], "\n"))
}

// sniff finds what the fields of the first line are apart by: what is there most often outside of quotes.
func sniff(in *bufio.Reader) rune {
	head, _ := in.Peek(bufferSize)
	counts := map[rune]int{}
	quoted := false
	for _, b := range string(head) {
		if b == '"' {
			quoted = !quoted
		}
		if b == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[b]++
		}
	}
	best := ','
	for _, c := range ";\t" {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}
