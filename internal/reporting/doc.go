// Package reporting makes something of reports: it runs those that are saved, sends them by mail on a schedule, watches them
// for alerts, and makes dashboards from templates. docs/reporting.md is the guide.
//
// A saved report and a dashboard are documents of the content types core.report and core.dashboard, so they have owners,
// rights, comments and a history like all others. A report is run with the rights of whoever asks: they need the document
// and the metric. A schedule and an alert run with the rights their owner holds at that time; when those do not suffice any
// more, it is paused and its owner told.
//
// Invariants:
//   - A slot of a schedule is sent once or not at all: the transaction that moves the schedule past the slot queues the mails.
//     Whoever computed the same slot beside it finds the schedule moved. Of slots that were missed, the latest is sent.
//   - A change of the state of an alert, its event and its mails are one transaction, refused when the alert has changed
//     since it was read: each change is told once.
//   - A mail goes only to users who may read all that is in it, at that time.
//   - No address is kept here: recipients are users.
//
// One node at a time works on the schedules, and one on the alerts, chosen by leases; correctness does not depend on it.
//
// Collections: report_schedules {_id, owner, on, cron, timeZone, recipients, format, paused, reason, nextAt, dueAt, lastAt, tries,
// code, createdAt, v}; report_alerts {_id, owner, on, condition, threshold, recover, for, recipients, state, since, value, streak,
// evaluatedAt, paused, reason, dueAt, createdAt, v}. Indexes of both: by owner; by dueAt, which is when somebody has to look.
//
// Events: reporting.schedule.created, .updated, .deleted, .paused and .sent {slot, recipients, left}; reporting.alert.created, .updated,
// .deleted, .paused and .changed {from, to, value}.
package reporting
