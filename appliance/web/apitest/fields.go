package apitest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// units of numbers, by the end of a field's name; all others have unit 1, or one of
// further.
var (
	units   = map[string]string{"_s": "s", "_ns": "ns", "_bytes": "bytes", "_ppm": "ppm", "_dbhz": "dB-Hz", "_c": "°C", "_m": "m", "_deg": "degrees"}
	further = []string{"1", "bit/s", "s", "bytes/d"}
)

// Words are those that fields may hold, by schema and field, such as
// "Server.verdict".
type Words map[string][]string

// Struct holds a type that is answered as JSON, and all that it has, against the
// schemas: each field is there, required, with its type, a description and, if it is
// a number, a unit, and nothing else is. What is missing is said as it has to be
// written.
func (a *API) Struct(schema string, v any, words Words) {
	a.t.Helper()
	s := &structs{API: a, words: words, done: map[string]bool{}}
	s.visit(schema, reflect.TypeOf(v))
	for name := range words {
		if of, _, _ := strings.Cut(name, "."); s.done[of] && !slices.Contains(s.enums, name) {
			a.t.Errorf("%s: %s has no enum; it can be %q", File, name, words[name])
		}
	}
}

type structs struct {
	*API
	words Words
	done  map[string]bool
	enums []string
}

func (s *structs) visit(name string, t reflect.Type) {
	s.t.Helper()
	if s.done[name] {
		return
	}
	s.done[name] = true
	have := s.schema(name)
	if have == nil {
		s.t.Errorf("it is for %s:\n\"%s\": {\"type\": \"object\", \"description\": \"...\", \"required\": [...], \"properties\": {\n%s}}", t, name, s.all(t))
		return
	}
	if have.Description == "" {
		s.t.Errorf("%s: components.schemas.%s has no description", File, name)
	}
	fields := map[string]bool{}
	for f := range jsonFields(t) {
		key := f.key
		fields[key] = true
		p := have.Properties[key]
		if p == nil || p.Value == nil {
			s.t.Errorf("%s of %s is not in %s: add to properties of components.schemas.%s, and \"%s\" to its required:\n%s", f.Name, t, File, name, key, line(f))
			continue
		}
		if !slices.Contains(have.Required, key) {
			s.t.Errorf("%s: required of components.schemas.%s lacks %q", File, name, key)
		}
		s.field(name, f, p.Value)
	}
	for _, key := range slices.Sorted(maps.Keys(have.Properties)) {
		if !fields[key] {
			s.t.Errorf("%s: components.schemas.%s has %q, which %s has not: take it away there, and from required", File, name, key, t)
		}
	}
}

// field holds one field against its schema.
func (s *structs) field(of string, f field, p *openapi3.Schema) {
	s.t.Helper()
	where := fmt.Sprintf("%s: components.schemas.%s.properties.%s", File, of, f.key)
	if len(description(p)) < 10 {
		s.t.Errorf("%s has no description", where)
	}
	want := kindOf(f.Type)
	if want.schema != "" {
		refs := referred(p)
		if len(refs) != 1 || !strings.HasPrefix(refs[0], schemaPrefix) {
			s.t.Errorf("%s refers to no schema; write\n%s", where, line(f))
			return
		}
		if null := nullable(p); null != want.null {
			s.t.Errorf("%s: null is possible: %t; write\n%s", where, want.null, line(f))
		}
		s.visit(strings.TrimPrefix(refs[0], schemaPrefix), want.of)
		return
	}
	types := p.Type.Slice()
	if !slices.Equal(types, want.types()) {
		s.t.Errorf("%s has the type %q; write\n%s", where, types, line(f))
	}
	if p.Format != want.format && want.format != "" {
		s.t.Errorf("%s has the format %q, not %q", where, p.Format, want.format)
	}
	if unit, _ := p.Extensions["x-unit"].(string); want.number() && !unitFits(f.key, unit) || !want.number() && unit != "" {
		s.t.Errorf("%s has the x-unit %q; write\n%s", where, unit, line(f))
	}
	enum := p.Enum
	if want.name == "array" && p.Items != nil && p.Items.Value != nil {
		enum = p.Items.Value.Enum
	}
	s.enum(of+"."+f.key, where, enum)
}

func (s *structs) enum(name, where string, enum []any) {
	s.t.Helper()
	if enum == nil {
		return
	}
	s.enums = append(s.enums, name)
	var got []string
	for _, v := range enum {
		if text, ok := v.(string); ok {
			got = append(got, text)
		}
	}
	want := slices.Clone(s.words[name])
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.t.Errorf("%s: its enum is %q, its words are %q", where, got, want)
	}
}

const schemaPrefix = "#/components/schemas/"

// referred are the schemas that a property refers to, by itself, as one of two or as
// its items.
func referred(p *openapi3.Schema) (list []string) {
	for _, one := range append(slices.Clone(p.AnyOf), p.Items) {
		if one != nil && one.Ref != "" {
			list = append(list, one.Ref)
		}
	}
	for _, one := range p.AllOf {
		if one.Ref != "" {
			list = append(list, one.Ref)
		}
	}
	return list
}

func nullable(p *openapi3.Schema) bool {
	return slices.ContainsFunc(p.AnyOf, func(r *openapi3.SchemaRef) bool { return r.Value != nil && r.Value.Type.Is("null") })
}

func description(p *openapi3.Schema) string { return strings.TrimSpace(p.Description) }

func unitFits(key, unit string) bool {
	for _, end := range slices.Sorted(maps.Keys(units)) {
		if strings.HasSuffix(key, end) {
			return unit == units[end]
		}
	}
	return slices.Contains(further, unit)
}

// field is one of a struct, with its name in JSON.
type field struct {
	reflect.StructField
	key string
}

func jsonFields(t reflect.Type) func(yield func(field) bool) {
	return func(yield func(field) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() && key != "-" && !yield(field{f, key}) {
				return
			}
		}
	}
}

// kind is what JSON Schema says of a type.
type kind struct {
	name   string // of the type; "object" or "array" too
	format string
	null   bool
	schema string       // what it is called in Go, where it is a struct or a list of them
	of     reflect.Type // which
}

func (k kind) number() bool { return k.name == "number" || k.name == "integer" }

func (k kind) types() []string {
	if k.null {
		return []string{k.name, "null"}
	}
	return []string{k.name}
}

func kindOf(t reflect.Type) (k kind) {
	if t.Kind() == reflect.Pointer {
		k = kindOf(t.Elem())
		k.null = true
		return k
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return kind{name: "string", format: "date-time"}
	case t.Kind() == reflect.Struct:
		return kind{name: "object", schema: t.Name(), of: t}
	case t.Kind() == reflect.Slice:
		k = kindOf(t.Elem())
		return kind{name: "array", schema: k.schema, of: k.of}
	case t.Kind() == reflect.String:
		return kind{name: "string"}
	case t.Kind() == reflect.Bool:
		return kind{name: "boolean"}
	case t.Kind() == reflect.Float64:
		return kind{name: "number"}
	}
	return kind{name: "integer"}
}

// line is what to write for a field.
func line(f field) string {
	k := kindOf(f.Type)
	ref := `{"$ref": "` + schemaPrefix + k.schema + `"}`
	var what string
	switch {
	case k.schema != "" && k.name == "array":
		what = `"type": "array", "items": ` + ref
	case k.schema != "" && k.null:
		what = `"anyOf": [` + ref + `, {"type": "null"}]`
	case k.schema != "":
		what = `"allOf": [` + ref + `]`
	case k.name == "array":
		what = `"type": "array", "items": {"type": "` + kindOf(f.Type.Elem()).name + `"}`
	case k.null:
		what = `"type": ["` + k.name + `", "null"]`
	default:
		what = `"type": "` + k.name + `"`
	}
	if k.format != "" {
		what += `, "format": "` + k.format + `"`
	}
	if k.number() {
		unit := "1"
		for end, u := range units {
			if strings.HasSuffix(f.key, end) {
				unit = u
			}
		}
		what += `, "x-unit": "` + unit + `"`
	}
	return `"` + f.key + `": {` + what + `, "description": "..."}`
}

func (s *structs) all(t reflect.Type) string {
	var list []string
	for f := range jsonFields(t) {
		list = append(list, line(f))
	}
	return strings.Join(list, ",\n")
}
