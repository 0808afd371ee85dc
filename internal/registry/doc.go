// Package registry keeps content types and their documents, which may point at any object. docs/registry.md is the guide.
//
// Content types are declared in the code (native.go), each with a Go type and a collection of its own, or made at run time, and then
// share a collection. Their schemas come in versions (evolve.go): documents of an older one are read by the newest, and a job writes them so. The
// same schemas check documents in MongoDB (store_validator.go).
//
// A content type is a JSON Schema (2020-12). A property with the keyword `reference` holds the global id of another
// object: `"author": {"type": "string", "reference": {"to": ["person", "user"], "onDelete": "SET_NULL"}}`. `to` names
// content types by key, built-in types by name ("user", "role", "plan", "content_type"), "document" for any document, or
// "*". The keyword may stand where a value's place alone decides that it is a reference: under properties,
// patternProperties, additionalProperties, items, allOf and $ref. The keyword `label` at the top names the property that
// names a document.
//
// The keyword `index: true` at a property that holds a text, a number, a boolean or a reference, or an array of one kind of
// these, lets documents be filtered, sorted and counted by it; a content type has at most [MaxIndexed]. MongoDB keeps 64 indexes
// of a collection, so the types share slots: the value is kept once more as `x.kN`. `search: true` at a text lets text search
// look into it. See [Field] and docs/filters.md.
//
// Invariants:
//   - Data is valid by the schema of its type when it is written, at most [MaxDataBytes] and [MaxDepth] levels, and no
//     key of it could mean anything to MongoDB.
//   - Every reference in the data is also a row of `references`, written in the transaction of the document.
//   - The target of a new reference exists, is of an allowed kind and may be seen by the caller. Between documents this
//     holds at commit too: the writer of a reference also writes its target (the hidden counter `links`), so that of a
//     new reference and a deletion at the same time one loses. Other types are checked in the transaction without a lock.
//   - Deleting a document does to each reference that leads to it what its rule says, in the same transaction (deletion.go), or in
//     steps of a job when it is too much for one (report.go). What is deleted is in the trash until it is restored or its time is over.
//   - Ids are never reused; rev grows by one with each change, the deletion included. A revision becomes a row when the document leaves it
//     (history.go): the whole data every 20, else how the next one differs. Writing by a newer schema is no revision.
//
// Collections: content_types {_id, key, aliases, names, name, state, schema (text), version, steps, slots};
// documents, and notes, tasks, comments, tags, attachments, bookmarks, saved_reports and dashboards {_id, type, v, rev, label, data, owner, by, op, createdAt, updatedAt,
// deleting, lifted, links, x, words, prefix}; references {_id, from, fromType, path, to, onDelete}; tombstones {_id: ref, label, deletedAt, rev, by};
// trash {_id: ref, document, references, deletion, root, deletedAt, by, expiresAt}; revisions {of, rev, v, at, by, op, full or set and unset, hash}.
//
// Events: registry.type.created, .migrated, .renamed, .retired, .activated; registry.document.created, .updated, .restored and .reverted
// {document, cause, links}; registry.document.deleted and .purged {type, rev, label, owner, cause, purge, links}; registry.document.imported
// {documents, links} on the content type, one for each batch of an import, instead of one for each document: a batch then costs one
// insert more, not hundreds, and tells as much.
package registry
