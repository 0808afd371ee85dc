// Command rewrite makes the code that gqlgen generated call package exec where it called package graphql. It is run by
// scripts/generate with the generated files, and fails when it does not find what it looks for: then gqlgen has changed.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"regexp"
)

const runtime = "github.com/backendbook/backendbook/graph/exec"

var (
	field    = regexp.MustCompile(`(?s)graphql\.ResolveField\(.*?\n\t\)\n`)
	deferred = regexp.MustCompile(`deferred := graphql\.NewDeferredGroup\(ctx\)`)
	written  = regexp.MustCompile(`var buf bytes\.Buffer\n\s*data\.MarshalGQL\(&buf\)`)
	calls    = regexp.MustCompile(`graphql\.(NewFieldSet|MarshalSliceConcurrently)\(`)
	names    = map[string]string{"NewFieldSet": "exec.NewFieldSet(", "MarshalSliceConcurrently": "exec.MarshalSlice("}
	imports  = regexp.MustCompile(`\t"github\.com/99designs/gqlgen/graphql"\n`)
)

func main() {
	changed := 0
	for _, name := range os.Args[1:] {
		n, err := rewrite(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		changed += n
	}
	if changed == 0 {
		fmt.Fprintln(os.Stderr, "rewrite: the generated code makes none of the calls that were looked for")
		os.Exit(1)
	}
}

// rewrite changes one file, and tells how many calls there were.
func rewrite(name string) (int, error) {
	before, err := os.ReadFile(name) //nolint:gosec // the files that are generated
	if err != nil {
		return 0, err
	}
	n := 0
	code := field.ReplaceAllFunc(before, func(call []byte) []byte {
		if bytes.Contains(call, []byte("ec.Resolvers")) {
			return call // what is written by hand may ask for the context of its field
		}
		n++
		return bytes.Replace(call, []byte("graphql.ResolveField("), []byte("exec.ReadField("), 1)
	})
	code = calls.ReplaceAllFunc(code, func(call []byte) []byte {
		n++
		return []byte(names[string(calls.FindSubmatch(call)[1])])
	})
	if written.Match(code) {
		n++
		code = written.ReplaceAll(code, []byte("buf := exec.Write(ctx, data)"))
	}
	code = deferred.ReplaceAll(code, []byte("var deferred graphql.DeferredGroup"))
	if n == 0 {
		return 0, nil
	}
	code = imports.ReplaceAll(code, []byte("$0\t\""+runtime+"\"\n"))
	if code, err = format.Source(code); err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, os.WriteFile(name, code, 0o644) //nolint:gosec // source code
}
