// Package blob keeps the content of files, whatever it is, under keys that the server makes.
//
// There are three places for it: a folder ([NewFiles]), the database ([NewGridFS]) and a bucket ([NewS3]). They behave the same.
//
// Invariants:
//   - Content is streamed: no place holds a whole file in memory.
//   - A key is readable when its content is whole, or not at all. What a broken upload left is removed at once where that is
//     possible, and by [Store.Clean] where it is not.
//   - Content never changes: a key is written once.
//
// Collections, for the database alone: blobs.files and blobs.chunks, in the form of GridFS.
package blob
