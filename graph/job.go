package graph

import (
	"encoding/json"
	"fmt"

	"github.com/backendbook/backendbook/internal/job"
)

// jobResult is what came of a job as the object of the schema; nil for nothing yet. The problems of rows can be many.
func jobResult(j job.Job, problems bool) (map[string]any, error) {
	if len(j.Result) == 0 {
		return nil, nil //nolint:nilnil // the field is nullable
	}
	var out map[string]any
	if err := json.Unmarshal(j.Result, &out); err != nil {
		return nil, fmt.Errorf("result of job %s: %w", j.ID, err)
	}
	if !problems {
		delete(out, "problems")
	}
	return out, nil
}

// jobError is the code of what went wrong at the last try; nil when nothing did.
func jobError(j job.Job) *string {
	if j.Code == "" {
		return nil
	}
	return &j.Code
}
