package demo

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backendbook/backendbook/internal/analytics"
)

func TestReadFlightsByTime(t *testing.T) {
	t.Parallel()
	flights, err := ReadFlights("testdata/flights-20k.json")
	if err != nil {
		t.Fatal(err)
	}
	var origins []string
	for _, f := range flights {
		origins = append(origins, f.Origin)
	}
	if !slices.Equal(origins, []string{"AAA", "BBB", "CCC"}) || flights[0].Delay != -5 {
		t.Errorf("read %+v", flights)
	}
	bad := filepath.Join(t.TempDir(), "f.json")
	if err := os.WriteFile(bad, []byte(`[{"date":"2001/01/01 06:00"},{"date":"yesterday"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFlights(bad); err == nil || !strings.Contains(err.Error(), "row 2") {
		t.Errorf("a broken row is reported as %v", err)
	}
	if _, err := ReadFlights("testdata/none.json"); !errors.Is(err, ErrNoData) {
		t.Errorf("a missing file is %v", err)
	}
}

func TestReadTables(t *testing.T) {
	t.Parallel()
	airports, err := readAirports("testdata")
	if err != nil || len(airports) != 3 || airports[1]["name"] != "Beta, Regional" || airports[0]["latitude"] != 31.5 {
		t.Errorf("airports: %v, %v", airports, err)
	}
	routes, err := readRoutes("testdata", 2)
	if err != nil || len(routes) != 2 || routes[0].flights != 900 || routes[1].origin != "BBB" {
		t.Errorf("routes: %v, %v", routes, err)
	}
	movies, err := readMovies("testdata")
	if err != nil || len(movies) != 3 {
		t.Fatalf("movies: %v, %v", movies, err)
	}
	one, nine := movies[0], movies[1]
	if one.data["released"] != "1998-06-12" || one.director != "Ann Author" || one.data["genre"] != "Drama" {
		t.Errorf("clean row: %+v", one)
	}
	if _, has := one.data["rating"]; has || nine.data["title"] != "9" || nine.data["released"] != nil {
		t.Errorf("a null, a number as title, an odd date: %+v %+v", one, nine)
	}
}

func TestReelRepeatsTheFlights(t *testing.T) {
	t.Parallel()
	flights, err := ReadFlights("testdata/flights-20k.json")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := newReel(flights, 3600, now) // an hour of the original takes a second; a round takes 30 s
	whole := r.between(r.start.Add(-time.Second), r.start.Add(59*time.Second))
	if len(whole) != 6 {
		t.Fatalf("two rounds hold %d flights: %v", len(whole), whole)
	}
	var parts []analytics.EventCmd
	for at := -time.Second; at < 59*time.Second; at += 700 * time.Millisecond {
		parts = append(parts, r.between(r.start.Add(at), r.start.Add(min(at+700*time.Millisecond, 59*time.Second)))...)
	}
	if len(parts) != len(whole) {
		t.Fatalf("in small steps there are %d flights, at once %d", len(parts), len(whole))
	}
	for i := range whole {
		if !whole[i].At.Equal(*parts[i].At) || whole[i].Dims["origin"] != parts[i].Dims["origin"] {
			t.Errorf("flight %d: %v and %v", i, whole[i], parts[i])
		}
		if i > 0 && whole[i].At.Before(*whole[i-1].At) {
			t.Errorf("flight %d goes before its predecessor", i)
		}
	}
	if gap := whole[1].At.Sub(*whole[0].At); gap != 2*time.Second {
		t.Errorf("two hours of the original take %v", gap)
	}
	if got := r.between(now, now); got != nil {
		t.Errorf("no time brings %v", got)
	}
	if got := newReel(nil, 1, now).between(now, now.Add(time.Hour)); got != nil {
		t.Errorf("no flights bring %v", got)
	}
}
