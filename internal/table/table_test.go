package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// told is what a reader gives, in short.
func told(row Row, err error) string {
	if err != nil {
		return fmt.Sprintf("%d!%v", row.Number, err)
	}
	b, _ := json.Marshal(row.Value)
	return fmt.Sprintf("%d%s", row.Number, b)
}

// all reads everything in one go.
func all(f Format, text string) (rows []string, end error) {
	r, err := NewReader(f, strings.NewReader(text), Position{})
	if err != nil {
		return nil, err
	}
	for {
		row, err := r.Next()
		if err != nil && !Continues(err) {
			return rows, err
		}
		rows = append(rows, told(row, err))
	}
}

// piecewise reads each row with a reader of its own, where the last one stopped.
func piecewise(f Format, text string) (rows []string, end error) {
	for at := (Position{}); ; {
		r, err := NewReader(f, strings.NewReader(text[at.Offset:]), at)
		if err != nil {
			return rows, err
		}
		row, err := r.Next()
		if err != nil && !Continues(err) {
			return rows, err
		}
		rows = append(rows, told(row, err))
		b, _ := json.Marshal(r.Position()) // as it is kept between two processes
		at = Position{}
		_ = json.Unmarshal(b, &at)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		format Format
		text   string
		want   []string
		end    error
	}{
		"a CSV":                  {CSV, "a,b\n1,x\n2,\"y,\"\"z\"\n", []string{`2{"a":"1","b":"x"}`, `3{"a":"2","b":"y,\"z"}`}, io.EOF},
		"with a mark and CRLF":   {CSV, "\uFEFFa;b\r\n1;x\r\n", []string{`2{"a":"1","b":"x"}`}, io.EOF},
		"with tabs":              {CSV, "a\tb,c\td\n1\tx\ty\n", []string{`2{"a":"1","b,c":"x","d":"y"}`}, io.EOF},
		"with lines in a field":  {CSV, "a,b\n\"1\n2\",x\n\n3,y", []string{`2{"a":"1\n2","b":"x"}`, `5{"a":"3","b":"y"}`}, io.EOF},
		"with a wrong record":    {CSV, "a,b\n1\n2,x\n", []string{`2!TABLE_ROW_INVALID: line 2 has 1 fields, the header 2`, `3{"a":"2","b":"x"}`}, io.EOF},
		"with a bare quote":      {CSV, "a,b\n1,x\"y\n2,z\n", []string{`2!TABLE_ROW_INVALID: the record of line 2: bare " in non-quoted-field`, `3{"a":"2","b":"z"}`}, io.EOF},
		"with a name twice":      {CSV, "a,a\n1,2\n", nil, ErrTable},
		"with nothing":           {CSV, "", nil, ErrTable},
		"NDJSON":                 {NDJSON, "{\"a\":1}\n\n{\"a\":1.50}", []string{`1{"a":1}`, `3{"a":1.50}`}, io.EOF},
		"a bad line of it":       {NDJSON, "{\"a\n[1]\n{} {}\n{\"b\":null}\n", []string{`1!TABLE_ROW_INVALID: row 1 is not usable JSON: a control character at byte 3`, `2!TABLE_ROW_INVALID: row 2 is not an object`, `3!TABLE_ROW_INVALID: row 3 is not usable JSON: something after the end at byte 3`, `4{"b":null}`}, io.EOF},
		"an array":               {JSON, " [ {\"a\":1} ,\n{\"a\":[2]}\n] ", []string{`1{"a":1}`, `2{"a":[2]}`}, io.EOF},
		"an empty one":           {JSON, "[]", nil, io.EOF},
		"nothing":                {JSON, " ", nil, io.EOF},
		"objects":                {JSON, "{\"a\":1}\n{\n\"a\":2}", []string{`1{"a":1}`, `2{"a":2}`}, io.EOF},
		"an item of another":     {JSON, `[1,{"a":1}]`, []string{`1!TABLE_ROW_INVALID: row 1 is not an object`, `2{"a":1}`}, io.EOF},
		"an array that is cut":   {JSON, `[{"a":1},{"a"`, []string{`1{"a":1}`}, ErrTable},
		"cut between two":        {JSON, `[{"a":1}`, []string{`1{"a":1}`}, ErrTable},
		"more after the array":   {JSON, `[{"a":1}] {}`, []string{`1{"a":1}`}, ErrTable},
		"another encoding":       {CSV, "a\n\xe4\nx\n", []string{`2!TABLE_ROW_INVALID: column a of line 2 is not UTF-8`, `3{"a":"x"}`}, io.EOF},
		"a key twice":            {NDJSON, "{\"a\":{\"b\":1,\"b\":2}}\n{}\n", []string{`1!TABLE_ROW_INVALID: row 1 is not usable JSON: the same key twice at byte 12`, `2{}`}, io.EOF},
		"a key twice in JSON":    {JSON, `[{"a":1,"a":2},{}]`, []string{`1!TABLE_ROW_INVALID: row 1 is not usable JSON: the same key twice at byte 7`, `2{}`}, io.EOF},
		"and in JSON":            {NDJSON, "{\"a\":\"\xe4\"}\n{}\n", []string{`1!TABLE_ROW_INVALID: row 1 is not usable JSON: bytes that are not UTF-8 at byte 0`, `2{}`}, io.EOF},
		"and in a header":        {CSV, "\xe4\n1\n", nil, ErrTable},
		"another format":         {"XML", "<a/>", nil, ErrFormat},
		"a line that is large":   {NDJSON, `{"a":"` + strings.Repeat("x", MaxRow) + "\"}\n{}\n", []string{`1!TABLE_ROW_INVALID: line 1 is larger than 1048576 bytes`, `2{}`}, io.EOF},
		"an item that is large":  {JSON, `[{"a":"` + strings.Repeat("x", MaxRow) + `"},{}]`, []string{`1!TABLE_ROW_INVALID: item 1 is larger than 1048576 bytes`, `2{}`}, io.EOF},
		"a record that is large": {CSV, "a\n" + strings.Repeat("x", MaxRow) + "\ny\n", []string{`2!TABLE_ROW_INVALID: the record of line 2 is larger than 1048576 bytes`, `3{"a":"y"}`}, io.EOF},
		"an item without end":    {JSON, `[{"a":"` + strings.Repeat("x", 5*MaxRow), nil, ErrTable},
		"a record without end":   {CSV, "a\n\"" + strings.Repeat("x", 5*MaxRow), nil, ErrTable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for way, read := range map[string]func(Format, string) ([]string, error){"at once": all, "piecewise": piecewise} {
				got, end := read(tc.format, tc.text)
				if !reflect.DeepEqual(got, tc.want) || !errors.Is(end, tc.end) {
					t.Errorf("%s: %q, %.200v\nwant %q, %v", way, got, end, tc.want, tc.end)
				}
			}
		})
	}
}

func TestAnErrorOfTheSourceIsNoneOfTheTable(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for f, text := range map[Format]string{CSV: "a\n1\n", JSON: `[{"a":1},`, NDJSON: "{}\n"} {
		r, err := NewReader(f, io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), Position{})
		for err == nil {
			_, err = r.Next()
		}
		if !errors.Is(err, broken) || errors.Is(err, ErrTable) {
			t.Errorf("%s: %v", f, err)
		}
		if _, again := r.Next(); !errors.Is(again, err) {
			t.Errorf("%s: then %v", f, again)
		}
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	rows := []map[string]any{
		{"=n": "=1+1", "b": int64(-5), "c": []any{"-x", 1.5}, "d": "ignored in a CSV"},
		{"=n": "<a, b>", "b": nil, "c": map[string]any{"x": true}},
	}
	for f, want := range map[Format]string{
		CSV:    "'=n,b,c\n'=1+1,-5,'-x; 1.5\n\"<a, b>\",,\"{\"\"x\"\":true}\"\n",
		JSON:   `[{"=n":"=1+1","b":-5,"c":["-x",1.5],"d":"ignored in a CSV"}` + "\n" + `,{"=n":"<a, b>","b":null,"c":{"x":true}}` + "\n]\n",
		NDJSON: `{"=n":"=1+1","b":-5,"c":["-x",1.5],"d":"ignored in a CSV"}` + "\n" + `{"=n":"<a, b>","b":null,"c":{"x":true}}` + "\n",
	} {
		if got := write(t, f, []string{"=n", "b", "c"}, rows...); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", f, got, want)
		}
	}
	if got := write(t, JSON, nil); got != "[]\n" {
		t.Errorf("no rows = %q", got)
	}
}

func TestNoTextIsAFormula(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"=1", "+1", "-1", "@x", "\tx", "\rx"} {
		for _, v := range []any{s, []any{s, "x"}, json.Number(s)} {
			if got, err := cell(v); err != nil || strings.HasPrefix(got, s[:1]) && s != "-1" {
				t.Errorf("cell(%q) = %q, %v", v, got, err)
			}
		}
	}
}

func write(t testing.TB, f Format, columns []string, rows ...map[string]any) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(f, &b, columns, Mark{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// FuzzRead: whatever comes in, a reader ends, and those that go on where another stopped read the same rows.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"2\n3\"\n", "a;b\r\n\r\n1;2", "[{\"a\":1},2]", "{\"a\":1}\n{}\n", "\uFEFF[ ] ", "a\n\"", "[{},]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, format := range []Format{CSV, JSON, NDJSON} {
			one, end := all(format, text)
			two, end2 := piecewise(format, text)
			if !reflect.DeepEqual(one, two) || (end == io.EOF) != (end2 == io.EOF) { //nolint:errorlint // Next gives it bare
				t.Errorf("%s of %q\nat once   %q, %v\npiecewise %q, %v", format, text, one, end, two, end2)
			}
		}
	})
}

// FuzzWrite: what is written as NDJSON or JSON is read back.
func FuzzWrite(f *testing.F) {
	f.Add("a", "=x")
	f.Fuzz(func(t *testing.T, key, value string) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			t.Skip("JSON has no form for it")
		}
		row := map[string]any{key: value}
		for _, format := range []Format{JSON, NDJSON} {
			got, err := all(format, write(t, format, nil, row, row))
			if want := told(Row{2, row}, nil); !errors.Is(err, io.EOF) || len(got) != 2 || got[1] != want {
				t.Errorf("%s: %q, %v, want %q", format, got, err, want)
			}
		}
	})
}
