package app

import (
	"context"
	"io"

	"github.com/backendbook/backendbook/graph"
	"github.com/backendbook/backendbook/internal/analytics"
	"github.com/backendbook/backendbook/internal/attachment"
	"github.com/backendbook/backendbook/internal/invoice"
	"github.com/backendbook/backendbook/internal/outbound"
	"github.com/backendbook/backendbook/internal/payment"
	"github.com/backendbook/backendbook/internal/payment/stripe"
	"github.com/backendbook/backendbook/internal/plan"
	"github.com/backendbook/backendbook/internal/ref"
	"github.com/backendbook/backendbook/internal/registry"
)

// featureKeys lets users make access keys: see the schema.
const featureKeys = "access.keys"

// features are those the code asks plans for. Operators declare more in the catalogue.
func features() []plan.Feature {
	return []plan.Feature{
		{Key: registry.FeatureDocuments, Kind: plan.Counted, Name: "Documents", Description: "Documents a user owns."},
		{Key: attachment.FeatureBytes, Kind: plan.Counted, Name: "Attachments", Unit: "bytes", Description: "Bytes of the files a user owns."},
		{Key: analytics.FeatureEvents, Kind: plan.Metered, Open: true, Name: "Events", Description: "Events stored for reports in a period, by a user or with their ingest keys."},
		{Key: featureKeys, Kind: plan.Boolean, Name: "Access keys", Description: "Keys with which programs use the API."},
		{Key: graph.FeatureRate, Kind: plan.Static, Name: "Operations a minute", Description: "GraphQL operations of a user in a minute, on one node."},
		{Key: graph.FeatureDepth, Kind: plan.Static, Name: "Depth of a query", Unit: "levels", Description: "Levels of fields in a GraphQL document."},
		{Key: graph.FeatureCost, Kind: plan.Static, Name: "Cost of a query", Unit: "fields", Description: "Fields that the answer of a GraphQL operation may have, at most."},
		{Key: graph.FeatureBudget, Kind: plan.Static, Name: "Cost a minute", Unit: "fields", Description: "Cost of the GraphQL operations of a user in a minute, on one node."},
		{Key: graph.FeatureSockets, Kind: plan.Static, Name: "Live connections", Description: "WebSockets of a user at once, on one node."},
		{Key: graph.FeatureChannels, Kind: plan.Static, Name: "Live channels", Description: "Channels one live stream follows."},
	}
}

// assemblePlans makes the plans with their payment provider.
func (c *core) assemblePlans() error {
	p := c.cfg.Plans
	cfg := plan.Config{Features: features(), Lag: c.tail.Lag, Surcharge: p.ChangeSurcharge, Clocks: !c.cfg.IsProduction(), Log: c.log}
	switch c.cfg.Provider() {
	case "test":
		cfg.Payments = payment.NewTest(c.db, c.now, c.cfg.PublicURL+"/pay/")
	case "stripe":
		known := payment.NewKnown(c.db)
		cfg.Payments = stripe.New(stripe.Config{
			SecretKey: p.StripeKey, WebhookSecret: p.StripeWebhookSecret, ReturnURL: c.cfg.PublicURL + "/plan", BaseURL: p.StripeURL,
			HTTP:      outbound.NewClient(outbound.Config{AllowPrivate: !c.cfg.IsProduction(), Timeout: stripe.Timeout}),
			Customers: known.Payer, Remember: known.Remember, Session: known.Session, KeepSession: known.KeepSession,
		})
	}
	c.plans = plan.New(c.db, c.events, c.now, c.roles, c.roles, cfg)
	return nil
}

// socketsOf is how many sockets the plan of a user allows.
func (c *core) socketsOf(ctx context.Context, user string) int {
	n, set := c.plans.Number(ctx, ref.New(ref.User, user), graph.FeatureSockets)
	if !set || n == nil {
		return c.cfg.GraphQL.UserSockets
	}
	return int(min(*n, int64(c.cfg.GraphQL.UserSockets)))
}

// invoices prints invoices for the HTTP interface.
type invoices struct{ *core }

// Invoice writes the invoice of that id, as a PDF or as a page. Who may not see it finds none.
//
// Errors: NOT_FOUND.
func (i invoices) Invoice(ctx context.Context, id string, pdf bool) (func(w io.Writer) error, error) {
	inv, err := i.plans.Invoice(ctx, id)
	if err != nil {
		return nil, err
	}
	buyer := []string{inv.Subject.String()}
	if found, err := i.accounts.ByIDs(ctx, []string{inv.Subject.ID}); err == nil {
		if u, ok := found[inv.Subject.ID]; ok {
			buyer = append([]string{u.Name}, buyer...)
		}
	}
	status := "Paid"
	if inv.RefundedMinor > 0 {
		status = "Refunded"
	}
	paper := invoice.Invoice{
		Number: inv.Number, IssuedAt: inv.At, Zone: inv.Zone, Seller: i.cfg.Plans.Seller, Buyer: buyer, Currency: inv.Currency,
		TotalMinor: inv.AmountMinor, PaidMinor: inv.PaidMinor - inv.RefundedMinor, Status: status, Note: i.cfg.Plans.InvoiceNote,
	}
	for _, l := range inv.Lines {
		paper.Lines = append(paper.Lines, invoice.Line{Text: l.Text, From: l.From, To: l.To, Quantity: l.Quantity, AmountMinor: l.AmountMinor})
	}
	if pdf {
		return paper.PDF, nil
	}
	return paper.HTML, nil
}
