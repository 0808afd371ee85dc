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
	"time"
)

// Writer writes rows. It keeps some back: Flush writes those, and Close too, which ends the table. Neither touches what is
// written to.
//
// Errors of Write: TABLE_SHEET, for an XLSX; those of what is written to, as of the others.
type Writer interface {
	Write(row map[string]any) error
	Flush() (Mark, error)
	Close() error
}

// Mark is where a writer is after a Flush, so that another one can go on right behind. The zero Mark is the beginning.
type Mark struct {
	Begun bool      `json:"begun"`
	Rows  int64     `json:"rows"`
	Sheet SheetMark `json:"sheet,omitzero"` // of an XLSX
}

// errColumns is a mistake of the programmer.
var errColumns = errors.New("table: a CSV and an XLSX need columns")

// NewWriter writes rows to w, behind what an earlier writer with the same columns has written up to a mark. A CSV and an XLSX
// have these columns, and leave out what else a row holds; the other formats have all of it.
//
// Errors: TABLE_FORMAT; those of w.
func NewWriter(f Format, w io.Writer, columns []string, from Mark) (Writer, error) {
	if len(columns) == 0 && (f == CSV || f == XLSX) {
		return nil, errColumns
	}
	switch f {
	case CSV:
		return newCSVWriter(w, columns, from)
	case JSON, NDJSON:
		return newJSONWriter(w, f == JSON, from), nil
	case XLSX:
		return newSheetWriter(w, columns, from)
	default:
		return nil, ErrFormat
	}
}

type csvWriter struct {
	to      *csv.Writer
	columns []string
	cells   []string
	mark    Mark
}

func newCSVWriter(w io.Writer, columns []string, from Mark) (*csvWriter, error) {
	c := &csvWriter{csv.NewWriter(bufio.NewWriterSize(w, bufferSize)), columns, make([]string, len(columns)), from}
	if from.Begun {
		return c, nil
	}
	c.mark.Begun = true
	for i, name := range columns {
		c.cells[i] = harmless(name)
	}
	return c, c.to.Write(c.cells)
}

func (c *csvWriter) Write(row map[string]any) error {
	for i, name := range c.columns {
		text, err := cell(row[name])
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		c.cells[i] = text
	}
	c.mark.Rows++
	return c.to.Write(c.cells)
}

func (c *csvWriter) Flush() (Mark, error) {
	c.to.Flush()
	return c.mark, c.to.Error()
}

func (c *csvWriter) Close() error {
	_, err := c.Flush()
	return err
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
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
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
	mark  Mark
}

func newJSONWriter(w io.Writer, array bool, from Mark) *jsonWriter {
	j := &jsonWriter{buf: bufio.NewWriterSize(w, bufferSize), array: array, mark: from}
	j.mark.Begun = true
	j.enc = json.NewEncoder(j.buf) // ends each value with a new line
	j.enc.SetEscapeHTML(false)
	return j
}

func (j *jsonWriter) Write(row map[string]any) error {
	if j.array {
		lead := "["
		if j.mark.Rows > 0 {
			lead = ","
		}
		if _, err := j.buf.WriteString(lead); err != nil {
			return err
		}
	}
	j.mark.Rows++
	return j.enc.Encode(row)
}

func (j *jsonWriter) Flush() (Mark, error) { return j.mark, j.buf.Flush() }

func (j *jsonWriter) Close() error {
	if j.array {
		end := "]\n"
		if j.mark.Rows == 0 {
			end = "[]\n"
		}
		if _, err := j.buf.WriteString(end); err != nil {
			return err
		}
	}
	return j.buf.Flush()
}
