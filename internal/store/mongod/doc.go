// Package mongod runs a MongoDB server of our own: it finds or fetches a mongod, starts it as a child process, makes it
// a replica set of one, guards it, and stops it without leaving a trace. It is what the server uses when MONGODB_URI is
// empty: development, tests and small installations on one machine.
//
// Invariants:
//   - The child listens on 127.0.0.1 alone, with a key file and one random user (both 0600 or less), and without the
//     localhost exception, wire compression (CVE-2025-14847 is in 6.0.5's zlib path) or server-side JavaScript.
//   - Its port never changes while it is supervised, so a [Server.URI] stays good across restarts.
//   - One process owns a data folder. It holds the lock server.lock for as long as it may write there. A second process
//     is refused or, with Config.Attach, is given the first one's URI.
//   - The child does not outlive its owner: on Linux the kernel ends it (parent-death signal), elsewhere the next start does.
//
// A data folder holds state.json (port, user, password), key (the replica set's), server.lock, mongod.log and db/.
package mongod
