package graph

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/backendbook/backendbook/graph/generated"
)

// ready are the fields with a resolver that read nothing for their object alone: they compute, ask memory, or load what was
// announced to the loaders by whoever resolved the list (loader.Saw and its like). A list in which all fields are such is
// executed without a goroutine for each element. A field that is left out is executed rightly, just not as fast; one that
// should not be here makes a list read once for each element.
var ready = map[string][]string{
	"AccessKey":       {"owner"},
	"Backlink":        {"from"},
	"ChangePreview":   {"net", "due"},
	"ContentType":     {"aliases"},
	"Decision":        {"reason"},
	"Device":          {"client"},
	"Difference":      {"before", "after"},
	"Document":        {"type", "owner", "updatedBy", "impersonatedBy", "deleting", "references", "backlinks"},
	"DocumentField":   {"operators"},
	"Event":           {"user", "dims", "values"},
	"EventSource":     {"owner"},
	"Factor":          {"kind"},
	"FeatureUsage":    {"reservation"},
	"FieldRule":       {"readers", "writers"},
	"Grant":           {"bindings", "via"},
	"Job":             {"on", "result", "errorCode"},
	"LedgerEntry":     {"amount", "number", "invoicePath", "reason"},
	"ListedReference": {"fromType"},
	"Membership":      {"standing", "timeZone", "coupon", "checkoutUrl", "paymentProblem", "pauseReason"},
	"PlanFeature":     {"onOver", "reset"},
	"Reference":       {"target"},
	"Role":            {"permissions", "effectivePermissions", "includes"},
	"Session":         {"remembered", "authenticatedAt", "methods", "label", "client", "place", "current", "impersonated"},
	"User":            {"kind", "username", "email", "disabledAt"},
}

// waiting are the fields of the schema that may wait for the database for their object alone: those with a resolver that
// are not ready, and the fields of the root.
func waiting(schema *ast.Schema) (map[*ast.FieldDefinition]bool, error) {
	waits := map[*ast.FieldDefinition]bool{}
	root := reflect.TypeFor[generated.ResolverRoot]()
	for i := range root.NumMethod() {
		typ := schema.Types[root.Method(i).Name]
		if typ == nil {
			return nil, fmt.Errorf("there are resolvers of %s, which is no type", root.Method(i).Name)
		}
		resolvers := root.Method(i).Type.Out(0)
		for j := range resolvers.NumMethod() {
			for _, f := range typ.Fields {
				if strings.EqualFold(f.Name, resolvers.Method(j).Name) {
					waits[f] = true
				}
			}
		}
	}
	for name, fields := range ready {
		for _, f := range fields {
			typ := schema.Types[name]
			if typ == nil || typ.Fields.ForName(f) == nil || !waits[typ.Fields.ForName(f)] {
				return nil, fmt.Errorf("%s.%s is no field with a resolver", name, f)
			}
			delete(waits, typ.Fields.ForName(f))
		}
	}
	return waits, nil
}
