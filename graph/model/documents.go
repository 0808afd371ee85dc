package model

import "github.com/backendbook/backendbook/internal/registry"

// DocumentConnection is one page of documents, and what was asked for, to count it.
type DocumentConnection struct {
	Edges    []DocumentEdge
	Nodes    []registry.Document
	PageInfo PageInfo
	Asked    registry.ListCmd
}
