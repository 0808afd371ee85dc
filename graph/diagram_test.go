package graph

import (
	"strings"
	"testing"
)

// The diagram shows what a type is and where its references lead; both forms come from one read.
func TestContentTypeDiagram(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	s.define("remark", note())
	var out struct {
		ContentTypeDiagram struct{ SVG, Mermaid string }
	}
	s.must(`{ contentTypeDiagram { svg mermaid } }`, nil, &out)
	if d := out.ContentTypeDiagram; !strings.HasPrefix(d.SVG, "<svg ") || !strings.Contains(d.SVG, ">remark<") ||
		!strings.Contains(d.Mermaid, `"remark" }o--`) {
		t.Errorf("%+v", d)
	}
	if n := s.finds.Load().Count("find"); n > 2 {
		t.Errorf("%d finds", n)
	}
}
