package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
)

func TestMappingIsGuessed(t *testing.T) {
	t.Parallel()
	const flight = `{"date":"2001/01/14 21:55","delay":-3,"distance":480,"destination":"SAN","origin":"SJC","gate":null,"late":false}`
	whole := analytics.Mapping{
		Event: "e", Time: "date", Layout: "2006/01/02 15:04", Dims: []string{"destination", "origin"}, Values: []string{"delay", "distance"},
	}
	for _, tc := range []struct {
		name, text string
		cmd        IngestCmd
		want       analytics.Mapping
	}{
		{"an array", "[\n" + flight + ",\n{}]", IngestCmd{}, whole},
		{"a row on each line", flight + "\n{}\n", IngestCmd{}, whole},
		{"a file with a mark", "\ufeff" + flight, IngestCmd{}, whole},
		{"said, not guessed", flight, IngestCmd{Dims: []string{"origin"}, Values: []string{}, Layout: "2006/01/02 15:04"}, analytics.Mapping{
			Event: "e", Time: "date", Layout: "2006/01/02 15:04", Dims: []string{"origin"},
		}},
		{"ids are no dimensions", `{"at":"2026-01-02","who":"visitor-1","visit":"session-1","n":1}`, IngestCmd{Actor: "who", Session: "visit"}, analytics.Mapping{
			Event: "e", Time: "at", Layout: time.DateOnly, Values: []string{"n"}, Actor: "who", Session: "visit",
		}},
		{"another field for the time", `{"when":"2026-01-02T03:04:05Z","n":1}`, IngestCmd{Time: "when"}, analytics.Mapping{
			Event: "e", Time: "when", Layout: time.RFC3339, Values: []string{"n"},
		}},
		{"a broken first row is not judged here", "[{\"a\":\n", IngestCmd{}, analytics.Mapping{Event: "e"}},
		{"an empty file neither", "", IngestCmd{}, analytics.Mapping{Event: "e"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.cmd.Event = "e"
			file := strings.NewReader(tc.text)
			m, err := tc.cmd.mapping(file)
			if err != nil || m.Event != tc.want.Event || m.Actor != tc.want.Actor || m.Session != tc.want.Session || m.Time != tc.want.Time || m.Layout != tc.want.Layout ||
				!slices.Equal(m.Dims, tc.want.Dims) || !slices.Equal(m.Values, tc.want.Values) {
				t.Errorf("mapping() = %+v, %v; want %+v", m, err, tc.want)
			}
			if file.Len() != len(tc.text) {
				t.Error("the file is not at its begin any more")
			}
		})
	}
	if _, err := (&IngestCmd{Event: "e"}).mapping(strings.NewReader(`{"n":1}`)); !IsUsage(err) || !strings.Contains(err.Error(), "--time") {
		t.Errorf("without a time: %v", err)
	}
}

func TestLayouts(t *testing.T) {
	t.Parallel()
	for text, want := range map[any]string{
		"2026-01-02T03:04:05Z":          time.RFC3339,
		"2026-01-02T03:04:05.678+01:00": time.RFC3339,
		"2026-01-02 03:04":              "2006-01-02 15:04",
		"2001/01/14 21:55":              "2006/01/02 15:04",
		"2026-01-02":                    time.DateOnly,
		"yesterday":                     time.RFC3339,
		7.0:                             time.RFC3339,
	} {
		if got := layoutOf(text); got != want {
			t.Errorf("layoutOf(%v) = %s, want %s", text, got, want)
		}
	}
}
