package demo

// The content types of the demo, as JSON Schema. The keyword `reference` says what a field may point at and what happens
// when that is deleted.
var (
	airportSchema = object([]string{"iata", "name"}, props{
		"iata": indexed(str(3, 4)), "name": searched(str(1, 100)), "city": indexed(searched(str(0, 100))), "state": indexed(str(0, 100)),
		"country":  indexed(str(0, 100)),
		"latitude": number(-90, 90), "longitude": number(-180, 180),
	})
	personSchema = object([]string{"name"}, props{"name": indexed(str(1, 100))})
	routeSchema  = object([]string{"name", "origin", "destination"}, props{
		"name": str(1, 100), "flights": indexed(number(0, 1e9)),
		"origin":      indexed(reference("CASCADE", "airport")),
		"destination": indexed(reference("CASCADE", "airport")),
	})
	movieSchema = object([]string{"title"}, props{
		"title": indexed(searched(str(1, 200))), "genre": indexed(str(0, 100)), "rating": indexed(str(0, 20)), "distributor": str(0, 100), "creativeType": str(0, 100),
		"released": indexed(props{"type": "string", "format": "date"}), "minutes": number(0, 1000), "usGross": number(0, 1e11),
		"worldwideGross": indexed(number(0, 1e11)), "budget": number(0, 1e11), "imdbRating": indexed(number(0, 10)), "imdbVotes": number(0, 1e9),
		"tomatoesRating": number(0, 100), "director": indexed(reference("SET_NULL", "person")),
	})
	noteSchema = object([]string{"text"}, props{
		"text": searched(str(1, 2000)), "about": indexed(reference("KEEP", "*")),
	})
)

type props = map[string]any

func object(required []string, p props) map[string]any {
	need := make([]any, len(required))
	for i, r := range required {
		need[i] = r
	}
	return props{"type": "object", "additionalProperties": false, "required": need, "properties": p, "label": required[0]}
}

func str(least, most int) props {
	return props{"type": "string", "minLength": least, "maxLength": most}
}

// indexed is a property that documents can be filtered and sorted by.
func indexed(p props) props {
	p["index"] = true
	return p
}

// searched is a text that text search looks into.
func searched(p props) props {
	p["search"] = true
	return p
}

func number(least, most float64) props {
	return props{"type": "number", "minimum": least, "maximum": most}
}

func reference(onDelete, to string) props {
	return props{"type": "string", "reference": props{"to": []any{to}, "onDelete": onDelete}}
}
