// Command backendbook is the server and its administration: `backendbook --help` lists what it can do.
package main

import (
	"os"

	"github.com/backendbook/backendbook/internal/app"
)

//go:generate go tool gqlgen generate

func main() {
	os.Exit(app.Main(app.Process{
		Args: os.Args[1:], Environ: os.Environ(), In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
	}))
}
