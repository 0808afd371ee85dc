package backup_test

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// zipped is an archive with one entry.
func zipped(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = io.WriteString(w, content)
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rezipped is an archive that is whole, with one entry changed: what only the manifest can tell.
func rezipped(t *testing.T, archive []byte, name string, change func(content []byte)) []byte {
	t.Helper()
	from, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	from.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor())
	var b bytes.Buffer
	to := zip.NewWriter(&b)
	changed := false
	for _, f := range from.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == name {
			change(content)
			changed = true
		}
		w, err := to.Create(f.Name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil || !changed {
		t.Fatalf("%v, changed %t", err, changed)
	}
	return b.Bytes()
}
