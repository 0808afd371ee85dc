// Package export hands out reports and stored events as tables: at once ([Service.Events], [Service.Report]), or written by a
// job for what has more rows ([Service.StartEvents], [Service.StartReport]).
//
// Events are read in pages, in the order of package analytics, with nothing held open between two of them: a slow reader holds
// nothing but its own connection. Where a download of CSV or NDJSON was cut, another one goes on behind the last row that came
// whole, and the two together are what one would have been.
//
// A job writes its file in parts, one in each step. A part counts when the job says so, in the transaction of the step: a
// process that is killed leaves at most a part that nobody names, and the same events always make the same file.
//
// Invariants: rights are asked for each page, for each step and for each download of a file. A file is there for 7 days after its
// job. Every export is in the log.
//
// Collections: none. Content: exports/{job}/{part} in the place of files.
// Events in the log: analytics.event.exported {name, format, after, job}, analytics.report.exported {metric, format, job}.
package export
