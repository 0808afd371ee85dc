// Package registry keeps content types, which are made at run time, and their documents, which may point at any object.
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
//   - Deleting a document does to each reference that leads to it what its rule says, in the same transaction.
//   - Ids are never reused; rev grows by one with each change, the deletion included.
//
// Collections: content_types {_id, key, name, schema (text), version, createdAt, slots}; documents {_id, type, rev, label, data,
// owner, createdAt, updatedAt, links, x, words, prefix}; references {_id, from, path, to, onDelete}; tombstones {_id: ref, label, deletedAt}.
//
// Events: registry.type.created; registry.document.created and .updated {document, cause}; registry.document.deleted
// {type, rev, label, owner, cause}; registry.document.imported {documents} on the content type, one for each batch of an
// import, instead of one for each document: a batch then costs one insert more, not hundreds, and tells as much.
package registry
