package table

import (
	"errors"

	"github.com/backendbook/backendbook/internal/fault"
)

// Format is how rows are written down.
type Format string

// The formats.
const (
	CSV    Format = "CSV"    // with a header; fields apart by comma, semicolon or tab
	JSON   Format = "JSON"   // an array of objects, or objects one after the other
	NDJSON Format = "NDJSON" // one object a line
	XLSX   Format = "XLSX"   // a workbook with one sheet, with a header; only written
)

// MediaType is how HTTP calls it (RFC 4180, RFC 8259, ECMA-376; that of NDJSON is not registered).
func (f Format) MediaType() string {
	return map[Format]string{
		CSV: "text/csv; charset=utf-8", JSON: "application/json", NDJSON: "application/x-ndjson",
		XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	}[f]
}

// The bounds of what is read.
const (
	MaxRow     = 1 << 20 // bytes
	MaxColumns = 1000
)

// Errors of a table.
var (
	ErrRow    = fault.Define(fault.Invalid, "TABLE_ROW_INVALID", "the row can not be read")
	ErrTable  = fault.Define(fault.Invalid, "TABLE_INVALID", "the rest of the table can not be read")
	ErrFormat = fault.Define(fault.Invalid, "TABLE_FORMAT", "the format is none of CSV, JSON and NDJSON, nor XLSX where tables are written")
	ErrSheet  = fault.Define(fault.Invalid, "TABLE_SHEET", "a spreadsheet cannot hold this")
)

// Continues reports whether rows after this error can still be read.
func Continues(err error) bool { return errors.Is(err, ErrRow) }

// Row is one row.
type Row struct {
	Number int64          // from 1: the line it begins on, or in JSON the item it is
	Value  map[string]any // of a CSV only texts; of JSON what encoding/json makes of it, numbers as json.Number
}

// Position is where a reader is, so that another one can go on. The zero Position is the beginning.
type Position struct {
	Offset  int64    `json:"offset"`            // bytes read: the source of the next reader begins there
	Number  int64    `json:"number"`            // of the last row, or line
	Columns []string `json:"columns,omitempty"` // of a CSV
	Comma   string   `json:"comma,omitempty"`   // of a CSV
	Array   bool     `json:"array,omitempty"`   // of JSON: inside an array
}

func badRow(n int64, format string, args ...any) error {
	return ErrRow.Saying(format, args...).With("row", n)
}

func badTable(n int64, format string, args ...any) error {
	return ErrTable.Saying(format, args...).With("row", n)
}
