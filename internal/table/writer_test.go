package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
)

// parts writes rows with a new writer after each cut, as several processes would.
func parts(t *testing.T, f Format, columns []string, rows []map[string]any, cut func(row int) bool) string {
	t.Helper()
	var whole bytes.Buffer
	var from Mark
	for i := 0; ; {
		w, err := NewWriter(f, &whole, columns, from)
		if err != nil {
			t.Fatal(err)
		}
		for begun := i; i < len(rows) && (i == begun || !cut(i)); i++ {
			if err := w.Write(rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		if i == len(rows) {
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			return whole.String()
		}
		if from, err = w.Flush(); err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(from) // as it is kept between two processes
		from = Mark{}
		_ = json.Unmarshal(b, &from)
	}
}

// sheet reads a workbook with another library: the values as they are kept.
func sheet(t *testing.T, file string) [][]string {
	t.Helper()
	book, err := excelize.OpenReader(strings.NewReader(file), excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	rows, err := book.GetRows("Data")
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestPartsAreTheWhole(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	columns := []string{"n", "text", "at"}
	rows := make([]map[string]any, 1000)
	for i := range rows {
		rows[i] = map[string]any{"n": int64(i), "text": strings.Repeat("x\"y\n", rnd.IntN(9)), "at": time.UnixMilli(int64(i) * 1e9).UTC()}
	}
	for _, n := range []int{0, 1, 2, len(rows)} {
		rows := rows[:n]
		cut := func(int) bool { return rnd.IntN(100) == 0 }
		for _, f := range []Format{CSV, JSON, NDJSON} {
			if got, want := parts(t, f, columns, rows, cut), write(t, f, columns, rows...); got != want {
				t.Errorf("%s: %d rows in parts are not those at once:\n%.300q\n%.300q", f, n, got, want)
			}
		}
		got, want := sheet(t, parts(t, XLSX, columns, rows, cut)), sheet(t, write(t, XLSX, columns, rows...))
		if len(got) != n+1 || !reflect.DeepEqual(got, want) {
			t.Errorf("XLSX: %d rows in parts are not those at once: %.300q", n, got)
		}
		often := func(i int) bool { return i%90 == 0 }
		first, second := parts(t, XLSX, columns, rows, often), parts(t, XLSX, columns, rows, often)
		if first != second {
			t.Errorf("XLSX: %d rows in the same parts are not the same bytes", n)
		}
	}
}

// TestSheet: numbers are numbers and times are times, and nothing is a formula.
func TestSheet(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.FixedZone("", 3600))
	values := map[string]struct {
		v    any
		kind excelize.CellType
		want string
	}{
		"text":     {"a <b> & \"c\"\n\td ", excelize.CellTypeInlineString, "a <b> & \"c\"\n\td "},
		"=name":    {"=1+1", excelize.CellTypeInlineString, "=1+1"},
		"odd":      {"\x01\ufffe _x0041_ 🙂", excelize.CellTypeInlineString, "\x01\ufffe _x0041_ 🙂"},
		"int":      {int64(-5), excelize.CellTypeUnset, "-5"},
		"large":    {int64(math.MaxInt64), excelize.CellTypeInlineString, "9223372036854775807"},
		"float":    {0.1, excelize.CellTypeUnset, "0.1"},
		"number":   {json.Number("1.50"), excelize.CellTypeUnset, "1.5"},
		"no":       {json.Number("=1"), excelize.CellTypeInlineString, "=1"},
		"infinite": {math.Inf(1), excelize.CellTypeInlineString, "+Inf"},
		"yes":      {true, excelize.CellTypeBool, "1"},
		"time":     {at, excelize.CellTypeUnset, ""},
		"old":      {time.Date(1800, 1, 2, 0, 0, 0, 0, time.UTC), excelize.CellTypeInlineString, "1800-01-02T00:00:00Z"},
		"list":     {[]any{"=a", 1.5}, excelize.CellTypeInlineString, "=a; 1.5"},
		"object":   {map[string]any{"a": true}, excelize.CellTypeInlineString, `{"a":true}`},
		"nothing":  {nil, excelize.CellTypeUnset, ""},
	}
	var columns []string
	row := map[string]any{"ignored": 1}
	for name, tc := range values {
		columns = append(columns, name)
		row[name] = tc.v
	}
	file := write(t, XLSX, columns, row)
	book, err := excelize.OpenReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = book.Close() }()
	for i, name := range columns {
		head, _ := excelize.CoordinatesToCellName(i+1, 1)
		cell, _ := excelize.CoordinatesToCellName(i+1, 2)
		if got, err := book.GetCellValue("Data", head); err != nil || got != name {
			t.Errorf("the header of %q is %q, %v", name, got, err)
		}
		got, err := book.GetCellValue("Data", cell, excelize.Options{RawCellValue: true})
		kind, err2 := book.GetCellType("Data", cell)
		formula, err3 := book.GetCellFormula("Data", cell)
		if err := errors.Join(err, err2, err3); err != nil || kind != values[name].kind || formula != "" || name != "time" && got != values[name].want {
			t.Errorf("%s = %q of kind %v, formula %q, %v; want %q", name, got, kind, formula, err, values[name].want)
		}
		if name == "time" {
			shown, err := book.GetCellValue("Data", cell)
			days, err2 := strconv.ParseFloat(got, 64)
			is := time.UnixMicro(int64(math.Round((days - 25569) * 86400e6))) // the library rounds to seconds
			if err := errors.Join(err, err2); err != nil || !strings.HasPrefix(shown, "2026-01-02 02:04:0") || is.Sub(at).Abs() > 100*time.Microsecond {
				t.Errorf("the time is %s, shown as %q, %v; want %s", is, shown, err, at.UTC())
			}
		}
	}
}

func TestSheetLimits(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(XLSX, &bytes.Buffer{}, []string{"a"}, Mark{Begun: true, Rows: MaxSheetRows - 1})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]error{strings.Repeat("é", maxSheetText): nil, strings.Repeat("é", maxSheetText+1): ErrSheet} {
		if _, err := sheetText(text); !errors.Is(err, want) {
			t.Errorf("a text of %d bytes: %v", len(text), err)
		}
	}
	if err := w.Write(nil); err != nil {
		t.Errorf("the last row that fits: %v", err)
	}
	if err := w.Write(nil); !errors.Is(err, ErrSheet) {
		t.Errorf("one more: %v", err)
	}
	for _, f := range []Format{CSV, XLSX} {
		if _, err := NewWriter(f, &bytes.Buffer{}, nil, Mark{}); !errors.Is(err, errColumns) {
			t.Errorf("%s without columns: %v", f, err)
		}
	}
}
