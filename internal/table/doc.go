// Package table reads and writes rows in the formats that people move data in: CSV, JSON and NDJSON, and writes XLSX. It
// streams: no more than one row is in memory.
//
// A row that is no good does not end the reading where the next one can be found: a line of NDJSON that is no object, a CSV
// record with too many fields. A [Reader] tells after each row where it is, and another one goes on from there.
//
// A [Writer] tells the same at each flush, so that a table can be written in parts by several processes. That is why XLSX is
// written here: the libraries for it hold the sheet back until its end.
//
// What is written as CSV is safe to open in a spreadsheet: a text that it would take for a formula gets a leading apostrophe.
package table
