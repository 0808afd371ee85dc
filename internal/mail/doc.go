// Package mail sends the mails of this server: rendered from templates, kept in an outbox, delivered by SMTP.
//
// [Service.Queue] renders a mail and puts it into the outbox in the transaction of its caller, so a mail leaves if and only
// if the change it tells of commits. [Service.Run] takes mails out and delivers them: each under a lease with a fence, with
// growing pauses between attempts, and aside as a dead letter after 8 of them or when the mail server refuses for good.
// Delivery is at least once: whoever dies between sending and writing that down has the mail sent again, with the same
// Message-ID, by which mail clients show it once. Without an SMTP host nothing is sent and mails stay in the development
// mailbox.
//
// A mail may bring [File]s: pictures that its HTML shows, and attachments. They lie in the outbox with it, sealed like the rest.
//
// Templates are in the manner of django-templated-mail, one file a mail: templates/<locale>/<name>.tmpl defines "subject",
// "text" and "html". What mails share is in <locale>/common.tmpl and layout.tmpl, plural forms and dates in
// <locale>/messages.json. A file at the same path in the folder Config.Templates replaces the one built in; a folder of
// another language there adds it. All of them are tried at start with sample data: a broken one is found then, not at
// night. A template sees its data (see the catalogue), Product, PublicURL and Lang, and these functions:
//
//	link "/verify" "token" .Link   the public URL with a secret in its fragment, which no server, log or scanner gets to see
//	plural "days" .Days            a number and its noun, by the CLDR rules of the language
//	span .Minutes                  minutes as people say them: 15 minutes, 24 hours
//	date .At                       a time, in UTC
//	dict "label" "When" …          several values for one {{template}}
//
// Invariants: a link begins with the configured public URL and with nothing a request brought. Bodies hold secrets: they
// are sealed in the outbox, gone once the mail is sent, and never in a log or an error. Text that users chose cannot end a
// line, and a name that looks like a link is left out: nobody can make this server mail his links to strangers.
//
// Collection: outbox {_id, to, locale, template, state, body?, tries, fence, queuedAt, dueAt, endedAt?, error?, expiresAt?};
// state is waiting, sent, dead or kept (the mailbox). dueAt is when somebody may take it: the next attempt or, while one is
// under way, the end of its lease. body is sealed for the place "outbox/<id>". Sent letters are deleted after 7 days, dead
// ones, whose sealed body a retry needs, and those in the mailbox after 14. Indexes: by state and dueAt; by state and _id; by expiresAt, which
// deletes. The package appends no events: the facts are those of the domains that queue.
package mail
