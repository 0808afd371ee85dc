package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/backendbook/backendbook/internal/trace"
)

// ErrNotExplained tells that a command is none that the server can explain.
var ErrNotExplained = errors.New("store: not a read that can be explained")

// ofTheCall are the parts of a command that are about how it was sent, not about what is read: explain refuses most of them.
var ofTheCall = []string{
	"$db", "$clusterTime", "$readPreference", "lsid", "txnNumber", "startTransaction", "autocommit", "readConcern", "maxTimeMS", "apiVersion", "apiStrict",
}

// Explain asks the server how it would do a read that was noted, and gives the way it finds the documents: such as "IXSCAN { email: 1 }" or
// "COLLSCAN", several divided by commas. It holds names of fields, never values. The read is planned anew, not run: a plan that the
// server had kept from before may have been another.
func (d *DB) Explain(ctx context.Context, c trace.Command) (string, error) {
	var read bson.D
	if len(c.Body) == 0 {
		return "", ErrNotExplained
	}
	if err := bson.Unmarshal(c.Body, &read); err != nil {
		return "", fmt.Errorf("explain: %w", err)
	}
	read = slices.DeleteFunc(read, func(e bson.E) bool { return slices.Contains(ofTheCall, e.Key) })
	raw, err := d.client.Database(c.Database).RunCommand(ctx, bson.D{{Key: "explain", Value: read}, {Key: "verbosity", Value: "queryPlanner"}}).Raw()
	if err != nil {
		return "", Wrap("explain", err)
	}
	var ways []string
	collect(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: raw}, false, &ways)
	slices.Sort(ways)
	return strings.Join(slices.Compact(ways), ", "), nil
}

// collect finds the winning plans in an explanation, whatever the version and however many shards, and in them the stages that
// everything begins with: those without an input.
func collect(v bson.RawValue, winning bool, ways *[]string) {
	if list, ok := v.ArrayOK(); ok {
		values, _ := list.Values()
		for _, inner := range values {
			collect(inner, winning, ways)
		}
		return
	}
	doc, ok := v.DocumentOK()
	if !ok {
		return
	}
	elements, _ := doc.Elements()
	leaf := true
	for _, e := range elements {
		switch key := e.Key(); {
		case key == "rejectedPlans":
		case key == "winningPlan":
			collect(e.Value(), true, ways)
		case !winning, key == "queryPlan", key == "shards", strings.HasPrefix(key, "inputStage"), strings.HasSuffix(key, "Stage"):
			leaf = leaf && !winning
			collect(e.Value(), winning, ways)
		}
	}
	if stage, named := doc.Lookup("stage").StringValueOK(); named && winning && leaf {
		if keys, ok := doc.Lookup("keyPattern").DocumentOK(); ok {
			stage += " " + pattern(keys)
		}
		*ways = append(*ways, stage)
	}
}

// pattern writes the keys of an index as the server's own log does.
func pattern(keys bson.Raw) string {
	elements, _ := keys.Elements()
	parts := make([]string, len(elements))
	for i, e := range elements {
		how, isText := e.Value().StringValueOK()
		if !isText {
			n, _ := e.Value().AsInt64OK()
			how = strconv.FormatInt(n, 10)
		}
		parts[i] = e.Key() + ": " + how
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}
