package demo

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ErrNoData says that the folder does not hold the tables.
var ErrNoData = errors.New("the demo's data are not there: run `npm ci` in web/, or name the data folder of the npm package vega-datasets")

// Flight is one row of flights-*.json.
type Flight struct {
	At          time.Time // of the original; in no zone the table tells, read as UTC
	Delay       float64   // minutes; negative for early
	Distance    float64   // miles
	Origin      string
	Destination string
}

// ReadFlights reads all flights of a file, by time.
func ReadFlights(path string) ([]Flight, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var rows []struct {
		Date        string  `json:"date"`
		Delay       float64 `json:"delay"`
		Distance    float64 `json:"distance"`
		Origin      string  `json:"origin"`
		Destination string  `json:"destination"`
	}
	if err := json.NewDecoder(f).Decode(&rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	flights := make([]Flight, len(rows))
	for i, r := range rows {
		at, err := time.Parse("2006/01/02 15:04", r.Date)
		if err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", path, i+1, err)
		}
		flights[i] = Flight{At: at, Delay: r.Delay, Distance: r.Distance, Origin: r.Origin, Destination: r.Destination}
	}
	slices.SortStableFunc(flights, func(a, b Flight) int { return a.At.Compare(b.At) })
	return flights, nil
}

func open(path string) (*os.File, error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the folder
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w (%s)", ErrNoData, path)
	}
	return f, err
}

// readAirports reads airports.csv as data of content type airport.
func readAirports(dir string) ([]map[string]any, error) {
	var items []map[string]any
	err := readCSV(filepath.Join(dir, "airports.csv"), 7, func(r []string) error {
		lat, err1 := strconv.ParseFloat(r[5], 64)
		lon, err2 := strconv.ParseFloat(r[6], 64)
		items = append(items, map[string]any{
			"iata": r[0], "name": r[1], "city": r[2], "state": r[3], "country": r[4], "latitude": lat, "longitude": lon,
		})
		return errors.Join(err1, err2)
	})
	return items, err
}

// route is a pair of airports and how many flights a year went between them.
type route struct {
	origin, destination string
	flights             int
}

// readRoutes reads the n busiest routes of flights-airport.csv.
func readRoutes(dir string, n int) ([]route, error) {
	var all []route
	err := readCSV(filepath.Join(dir, "flights-airport.csv"), 3, func(r []string) error {
		count, err := strconv.Atoi(r[2])
		all = append(all, route{r[0], r[1], count})
		return err
	})
	slices.SortFunc(all, func(a, b route) int {
		return cmp.Or(b.flights-a.flights, strings.Compare(a.origin, b.origin), strings.Compare(a.destination, b.destination))
	})
	return all[:min(n, len(all))], err
}

// readCSV hands out the rows after the header.
func readCSV(path string, fields int, row func([]string) error) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := csv.NewReader(f)
	r.FieldsPerRecord = fields
	for line := 0; ; line++ {
		rec, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		case line == 0:
			continue
		}
		if err := row(rec); err != nil {
			return fmt.Errorf("%s: line %d: %w", path, line+1, err)
		}
	}
}

// movie is one movie and the name of its director, if known.
type movie struct {
	data     map[string]any
	director string
}

// readMovies reads movies.json. The table is not clean: titles may be numbers, anything may be null.
func readMovies(dir string) ([]movie, error) {
	path := filepath.Join(dir, "movies.json")
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var rows []map[string]any
	if err := json.NewDecoder(f).Decode(&rows); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var movies []movie
	for _, r := range rows {
		if r["Title"] == nil {
			continue // without a title there is nothing to call it
		}
		m := movie{data: map[string]any{"title": text(r["Title"])}, director: text(r["Director"])}
		for from, to := range map[string]string{
			"Major Genre": "genre", "MPAA Rating": "rating", "Distributor": "distributor", "Creative Type": "creativeType",
		} {
			if s := text(r[from]); s != "" {
				m.data[to] = s
			}
		}
		for from, to := range map[string]string{
			"US Gross": "usGross", "Worldwide Gross": "worldwideGross", "Production Budget": "budget",
			"Running Time min": "minutes", "IMDB Rating": "imdbRating", "IMDB Votes": "imdbVotes",
			"Rotten Tomatoes Rating": "tomatoesRating",
		} {
			if n, ok := r[from].(float64); ok {
				m.data[to] = n
			}
		}
		if at, err := time.Parse("Jan 2 2006", text(r["Release Date"])); err == nil {
			m.data["released"] = at.Format(time.DateOnly)
		}
		movies = append(movies, m)
	}
	return movies, nil
}

// text is a JSON value as text; empty for null.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}
