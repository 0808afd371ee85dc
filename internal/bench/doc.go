// Package bench compares the whole server with a bare gqlgen server on the same data. It holds tests only: `make bench`.
package bench
