package table

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Writer writes rows. Close ends the table and writes what is left; it does not close what is written to.
type Writer interface {
	Write(row map[string]any) error
	Close() error
}

// errColumns is a mistake of the programmer.
var errColumns = errors.New("table: a CSV needs columns")

// NewWriter writes rows to w. A CSV has these columns, and leaves out what else a row holds; the other formats have all of it.
//
// Errors: TABLE_FORMAT; those of w.
func NewWriter(f Format, w io.Writer, columns []string) (Writer, error) {
	switch f {
	case CSV:
		if len(columns) == 0 {
			return nil, errColumns
		}
		c := &csvWriter{csv.NewWriter(w), columns, make([]string, len(columns))}
		for i, name := range columns {
			c.cells[i] = harmless(name)
		}
		return c, c.to.Write(c.cells)
	case JSON, NDJSON:
		return newJSONWriter(w, f == JSON), nil
	default:
		return nil, ErrFormat
	}
}

type csvWriter struct {
	to      *csv.Writer
	columns []string
	cells   []string
}

func (c *csvWriter) Write(row map[string]any) error {
	for i, name := range c.columns {
		text, err := cell(row[name])
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		c.cells[i] = text
	}
	return c.to.Write(c.cells)
}

func (c *csvWriter) Close() error {
	c.to.Flush()
	return c.to.Error()
}

// cell is a value as a CSV has it: lists of plain values joined by "; ", other structures as JSON.
func cell(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return harmless(v), nil
	case []any:
		text, err := list(v)
		return harmless(text), err
	default:
		return plain(v)
	}
}

// plain is a value that is no text: none of these can be a formula, a negative number included.
func plain(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case json.Number: // any text can be one
		if b, err := json.Marshal(v); err == nil {
			return string(b), nil
		}
		return harmless(v.String()), nil
	default:
		b, err := json.Marshal(v)
		return string(b), err
	}
}

func list(vs []any) (string, error) {
	parts := make([]string, len(vs))
	for i, v := range vs {
		var err error
		if parts[i], err = plain(v); err != nil {
			return "", err
		}
	}
	return strings.Join(parts, "; "), nil
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

type jsonWriter struct {
	buf   *bufio.Writer
	enc   *json.Encoder
	array bool
	any   bool // something has been written
}

func newJSONWriter(w io.Writer, array bool) *jsonWriter {
	j := &jsonWriter{buf: bufio.NewWriterSize(w, bufferSize), array: array}
	j.enc = json.NewEncoder(j.buf) // ends each value with a new line
	j.enc.SetEscapeHTML(false)
	return j
}

func (j *jsonWriter) Write(row map[string]any) error {
	if j.array {
		lead := "["
		if j.any {
			lead = ","
		}
		if _, err := j.buf.WriteString(lead); err != nil {
			return err
		}
	}
	j.any = true
	return j.enc.Encode(row)
}

func (j *jsonWriter) Close() error {
	if j.array {
		end := "]\n"
		if !j.any {
			end = "[]\n"
		}
		if _, err := j.buf.WriteString(end); err != nil {
			return err
		}
	}
	return j.buf.Flush()
}
