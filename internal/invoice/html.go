package invoice

import (
	_ "embed" // for the template
	"fmt"
	"html/template"
	"io"
)

//go:embed invoice.html.tmpl
var source string

var page = template.Must(template.New("invoice").Parse(source))

// HTML writes the invoice as a whole page of HTML in UTF-8, to be shown or printed. The only errors are those of w.
func (i Invoice) HTML(w io.Writer) error {
	if err := page.Execute(w, i.printed()); err != nil {
		return fmt.Errorf("invoice: write the HTML: %w", err)
	}
	return nil
}
