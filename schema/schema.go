// Package schema is the public contract: one described file of the GraphQL schema for each domain.
package schema

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.graphqls
var files embed.FS

// SDL is the whole schema as text, the files by name.
func SDL() (string, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for i, e := range entries {
		text, err := fs.ReadFile(files, e.Name())
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(text)
	}
	return b.String(), nil
}
