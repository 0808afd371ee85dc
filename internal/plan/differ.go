package plan

import (
	"fmt"
	"reflect"
	"strings"
)

// differences is what differs between two values of one type, field by field, in words such as "rank 1 -> 2".
func differences(before, after any) string {
	var all []string
	differ(&all, "", reflect.ValueOf(before), reflect.ValueOf(after))
	return strings.Join(all, ", ")
}

// differ looks into structs, and into lists whose items have a name of their own.
func differ(all *[]string, at string, a, b reflect.Value) {
	if a.IsValid() && b.IsValid() && reflect.DeepEqual(a.Interface(), b.Interface()) {
		return
	}
	if a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0 {
		return // an empty list and none are the same
	}
	switch {
	case a.Kind() == reflect.Struct && a.Type() != reflect.TypeFor[Every]() && a.NumField() > 0 && a.Type().Field(0).IsExported():
		for i := range a.NumField() {
			name := strings.ToLower(a.Type().Field(i).Name[:1]) + a.Type().Field(i).Name[1:]
			differ(all, strings.TrimPrefix(at+"."+name, "."), a.Field(i), b.Field(i))
		}
	case a.Kind() == reflect.Slice && named(a.Type().Elem()):
		differList(all, at, a, b)
	default:
		*all = append(*all, fmt.Sprintf("%s %s -> %s", at, show(a), show(b)))
	}
}

// named reports whether items of a list are found again by a name.
func named(t reflect.Type) bool {
	return t == reflect.TypeFor[Rule]() || t == reflect.TypeFor[Price]()
}

func nameOf(v reflect.Value) string {
	switch v := v.Interface().(type) {
	case Rule:
		return v.Feature
	case Price:
		return v.Key()
	}
	return ""
}

func differList(all *[]string, at string, a, b reflect.Value) {
	find := func(in reflect.Value, name string) (reflect.Value, bool) {
		for i := range in.Len() {
			if nameOf(in.Index(i)) == name {
				return in.Index(i), true
			}
		}
		return reflect.Value{}, false
	}
	for i := range a.Len() {
		name := nameOf(a.Index(i))
		if other, ok := find(b, name); ok {
			differ(all, at+" "+name, a.Index(i), other)
		} else {
			*all = append(*all, fmt.Sprintf("%s %s gone", at, name))
		}
	}
	for i := range b.Len() {
		if name := nameOf(b.Index(i)); true {
			if _, ok := find(a, name); !ok {
				*all = append(*all, fmt.Sprintf("%s %s new", at, name))
			}
		}
	}
}

// show is a value in words.
func show(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "none"
		}
		v = v.Elem()
	}
	if s := fmt.Sprint(v.Interface()); s != "" {
		return s
	}
	return "none"
}
