// Package attachment keeps files that belong to content: it takes uploads, checks them, makes thumbnails and gives links.
//
// An attachment is a document of the content type [TypeKey]; who may make, read and delete documents may do so with it. Its
// content is in a [blob.Store].
//
// Invariants:
//   - Content is stored before its document, and a document names only content that is whole and was checked. What a crash leaves
//     between the two is content without a document, which [Service.Sweep] removes.
//   - What is served is what the upload has stored. The keys in a document's data are for people: anybody who may change the
//     document may change them, and nothing reads them.
//   - Types are told by the content, never by the client.
//   - A link is good until it expires, for everybody who has it, and while the document is there.
//
// Collections: attachment_files {_id: id of the document, content, thumbnail, name, owner, createdAt}.
//
// It follows the events registry.document.deleted and registry.document.purged.
package attachment
