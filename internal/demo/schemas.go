package demo

// The content types of the demo, as JSON Schema. The keyword `reference` says what a field may point at and what happens
// when that is deleted.
var (
	airportSchema = object([]string{"iata", "name"}, props{
		"iata": str(3, 4), "name": str(1, 100), "city": str(0, 100), "state": str(0, 100), "country": str(0, 100),
		"latitude": number(-90, 90), "longitude": number(-180, 180),
	})
	personSchema = object([]string{"name"}, props{"name": str(1, 100)})
	routeSchema  = object([]string{"name", "origin", "destination"}, props{
		"name": str(1, 100), "flights": number(0, 1e9),
		"origin":      reference("CASCADE", "airport"),
		"destination": reference("CASCADE", "airport"),
	})
	movieSchema = object([]string{"title"}, props{
		"title": str(1, 200), "genre": str(0, 100), "rating": str(0, 20), "distributor": str(0, 100), "creativeType": str(0, 100),
		"released": props{"type": "string", "format": "date"}, "minutes": number(0, 1000), "usGross": number(0, 1e11),
		"worldwideGross": number(0, 1e11), "budget": number(0, 1e11), "imdbRating": number(0, 10), "imdbVotes": number(0, 1e9),
		"tomatoesRating": number(0, 100), "director": reference("SET_NULL", "person"),
	})
	noteSchema = object([]string{"text"}, props{
		"text": str(1, 2000), "about": reference("KEEP", "*"),
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

func number(least, most float64) props {
	return props{"type": "number", "minimum": least, "maximum": most}
}

func reference(onDelete, to string) props {
	return props{"type": "string", "reference": props{"to": []any{to}, "onDelete": onDelete}}
}
