// Package arch holds no code: its test enforces who may import whom, as the table in it says.
package arch
