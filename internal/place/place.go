// Package place tells where network addresses are said to be, from a GeoIP file in MaxMind's format that the operator
// provides. It is a hint for people who read a list of their sessions, and decides nothing.
package place

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Finder looks addresses up in one file. It is safe for concurrent use until Close; a nil Finder knows no place.
type Finder struct{ db *maxminddb.Reader }

// Open maps a file of cities or of countries into memory.
func Open(file string) (*Finder, error) {
	db, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("places of %s: %w", file, err)
	}
	return &Finder{db}, nil
}

// names are those parts of a record that are used, in English: https://dev.maxmind.com/geoip/docs/databases/city-and-country.
type names struct {
	City    named `maxminddb:"city"`
	Country named `maxminddb:"country"`
}

type named struct {
	Names struct {
		English string `maxminddb:"en"`
	} `maxminddb:"names"`
}

// Of is the place of an address, such as "Leipzig, Germany", or "Germany" where the file knows no more; empty for an
// address that is malformed, private or unknown.
func (f *Finder) Of(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if f == nil || err != nil || addr.IsPrivate() || addr.IsLoopback() {
		return ""
	}
	var found names
	if err := f.db.Lookup(addr.Unmap().WithZone("")).Decode(&found); err != nil {
		return ""
	}
	var parts []string
	for _, name := range []string{found.City.Names.English, found.Country.Names.English} {
		if name != "" {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, ", ")
}

// Close lets go of the file.
func (f *Finder) Close() {
	if f != nil {
		_ = f.db.Close() // it was only read
	}
}
