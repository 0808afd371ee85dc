package registry

import (
	"context"
	"slices"

	"github.com/backendbook/backendbook/internal/page"
	"github.com/backendbook/backendbook/internal/ref"
)

// maxBacklinksOf is of how many objects the backlinks are read at once. backlinksSpare is how much more than their first
// pages is read, for objects that have more.
const (
	maxBacklinksOf = 100
	backlinksSpare = 4
)

// BacklinksOf is [Service.Backlinks] for the first page of several objects, of first references each. Cost: one read for
// each type of object and each 100 of them, and for a caller from whom something is hidden one of the documents of each
// home they are in; and the reads of Backlinks for each object behind one that has very many, or where some are hidden, or
// if several types of documents are asked for.
//
// Errors: as Backlinks.
func (s *Service) BacklinksOf(ctx context.Context, to []ref.Ref, typeKeys []string, first int) (map[ref.Ref]page.Page[Reference], error) {
	if err := s.authz.RequireSome(ctx, PermRead); err != nil {
		return nil, err
	}
	w, err := page.Args{First: &first}.Check(1)
	if err != nil {
		return nil, err
	}
	types, err := s.typeIDs(ctx, typeKeys)
	if err != nil {
		return nil, err
	}
	pages := make(map[ref.Ref]page.Page[Reference], len(to))
	if len(to) > 1 && len(types) < 2 {
		for typ, ids := range byHome(to) {
			for lot := range slices.Chunk(ids, maxBacklinksOf) {
				if err := s.firstBacklinks(ctx, typ, lot, types, w, pages); err != nil {
					return nil, err
				}
			}
		}
	}
	for _, t := range to {
		if _, done := pages[t]; done {
			continue
		}
		if pages[t], err = s.Backlinks(ctx, BacklinksCmd{To: t, Types: typeKeys, Page: page.Args{First: &first}}); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// firstBacklinks makes the first pages of the backlinks of some objects, as far as they come out of one read.
func (s *Service) firstBacklinks(ctx context.Context, typ string, ids, types []string, w page.Window, pages map[ref.Ref]page.Page[Reference]) error {
	most := len(ids) * (w.Size + 1) * backlinksSpare
	read, err := s.store.newestTo(ctx, typ, ids, types, most)
	if err != nil {
		return err
	}
	had := map[string]int{}
	for _, r := range read {
		had[r.To.ID]++
	}
	last := "" // the object at which the read ended
	if len(read) == most {
		last = read[most-1].To.ID
	}
	seen, err := s.seen(ctx, read)
	if err != nil {
		return err
	}
	rows := map[string][]Reference{}
	for _, r := range seen {
		rows[r.To.ID] = append(rows[r.To.ID], r)
	}
	for _, id := range ids {
		all := last == "" || id < last // of them were read
		hidden := len(rows[id]) < had[id]
		if enough := len(rows[id]) > w.Size; enough || all && !hidden {
			pages[ref.New(typ, id)] = page.Fold(w, rows[id][:min(len(rows[id]), w.Size+1)], placeOf)
		}
	}
	return nil
}
