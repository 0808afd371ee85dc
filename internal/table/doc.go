// Package table reads and writes rows in the formats that people move data in: CSV, JSON and NDJSON. It streams: no more
// than one row is in memory.
//
// A row that is no good does not end the reading where the next one can be found: a line of NDJSON that is no object, a CSV
// record with too many fields. A [Reader] tells after each row where it is, and another one goes on from there.
//
// What is written as CSV is safe to open in a spreadsheet: a text that it would take for a formula gets a leading apostrophe.
package table
