package registry

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/backendbook/backendbook/internal/table"
)

func TestExport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Config{})
	w.define("note", object(m{"title": m{"type": "string"}, "n": m{"type": "integer"}}))
	w.define("open", m{"type": "object"})
	items := make([]m, 257)
	for i := range items {
		items[i] = m{"title": "=t" + strconv.Itoa(i), "n": i}
	}
	if _, err := w.BulkCreate(w.ctx, "note", items, ann); err != nil {
		t.Fatal(err)
	}
	for _, format := range []table.Format{table.CSV, table.JSON, table.NDJSON} {
		var b bytes.Buffer
		n, err := w.Export(w.ctx, ExportCmd{ListCmd: ListCmd{Type: "note"}, Format: format}, &b)
		if err != nil || n != int64(len(items)) {
			t.Fatalf("%s: Export() = %d, %v", format, n, err)
		}
		r, err := table.NewReader(format, &b, table.Position{})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[any]bool{}
		row, err := r.Next()
		for ; err == nil; row, err = r.Next() {
			seen[row.Value["title"]] = true
		}
		if !errors.Is(err, io.EOF) || len(seen) != len(items) || seen["=t3"] == (format == table.CSV) {
			t.Errorf("%s: %d different rows, %v", format, len(seen), err)
		}
	}
	var b bytes.Buffer
	_, err := w.Export(w.ctx, ExportCmd{ListCmd: ListCmd{Type: "open"}, Format: table.CSV}, &b)
	wantFault(t, err, errNoColumns)
	_, err = w.Export(w.ctx, ExportCmd{ListCmd: ListCmd{Type: "none"}, Format: table.CSV}, &b)
	wantFault(t, err, ErrTypeUnknown)
	w.rights.deny(PermRead)
	if _, err = w.Export(w.ctx, ExportCmd{ListCmd: ListCmd{Type: "note"}, Format: table.JSON}, &b); err == nil || b.Len() != 0 {
		t.Errorf("without rights: %v, %d bytes", err, b.Len())
	}
}
