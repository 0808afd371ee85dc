// Package job runs work that outlives a request and a process: an import, an export, a clean-up of many documents.
//
// Whoever asks starts a [Job] in the transaction of what they do, and a [Manager] on any node runs it in steps. A step is a
// bounded piece of work. It runs in a transaction of the manager, in which the manager also saves how far the job is: a
// process that is killed repeats no step and loses none. A step must therefore have no effect but on the database.
//
// Invariants: at most one manager runs a job. It holds the job by a claim, which runs out by MongoDB's clock and has a fence,
// higher with each holder: a manager that stalled past its claim can save nothing, so its step is undone. A step gets less
// time than a claim lasts. A job that ended never changes again. A cancelled job saves no further step.
//
// A step runs as who asked, with the rights they hold at that time and never with more than they asked with: the scope of
// their key, the role they had activated and an impersonator who may only look come along. Services called in a step check
// as they do in a request.
//
// A step that fails for a reason that may pass is tried again after a while, ten times in a row at most; any other fault
// ends the job at once.
//
// Collection: jobs {_id, kind, on, args, cursor, result, state, done, total, error, code, by, actor, tries, fence, dueAt,
// createdAt, startedAt, updatedAt, finishedAt, expiresAt}. Args, cursor and result are JSON. Indexes: by state and dueAt; by
// who asked; by what it is about; by expiresAt, which deletes 30 days after the end.
// Events: none. The collection is the record, and nodes follow it.
package job
