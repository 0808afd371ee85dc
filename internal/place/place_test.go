package place

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// written is a GeoIP file with these records.
func written(t *testing.T, records map[string]mmdbtype.Map) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(n, record); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "places.mmdb")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return file
}

func english(name string) mmdbtype.Map {
	return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(name), "de": mmdbtype.String("anders")}}
}

func TestOf(t *testing.T) {
	t.Parallel()
	f, err := Open(written(t, map[string]mmdbtype.Map{
		"203.0.113.0/24":  {"city": english("Leipzig"), "country": english("Germany"), "location": mmdbtype.Map{"latitude": mmdbtype.Float64(51.3)}},
		"198.51.100.0/24": {"country": english("France")},
		"192.0.2.0/24":    {"country": mmdbtype.Map{"names": mmdbtype.Map{"de": mmdbtype.String("nur deutsch")}}},
		"2001:db8::/32":   {"city": english("Oslo"), "country": english("Norway")},
		"10.0.0.0/8":      {"country": english("Nowhere")},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all sync.WaitGroup
	for ip, want := range map[string]string{
		"203.0.113.7": "Leipzig, Germany", "::ffff:203.0.113.7": "Leipzig, Germany", "198.51.100.1": "France", "192.0.2.1": "",
		"2001:db8::1": "Oslo, Norway", "2001:db8::1%eth0": "Oslo, Norway", "10.1.2.3": "", "127.0.0.1": "", "8.8.8.8": "", "": "", "leipzig": "",
	} {
		all.Go(func() {
			if got := f.Of(ip); got != want {
				t.Errorf("Of(%q) = %q, want %q", ip, got, want)
			}
		})
	}
	all.Wait()
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	var f *Finder
	if f.Of("203.0.113.7") != "" {
		t.Error("a nil Finder knows a place")
	}
	f.Close()
	broken := filepath.Join(t.TempDir(), "broken.mmdb")
	if err := os.WriteFile(broken, []byte("no such thing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{broken, filepath.Join(t.TempDir(), "absent.mmdb")} {
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("Open(%s) = %v", file, err)
		}
	}
}
