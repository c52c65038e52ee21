// Package apitest holds what a station answers against the OpenAPI file that it
// serves itself. It is for tests.
package apitest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// Path is where the file is served, File where it lies in these sources.
const (
	Path = "/api/v1/openapi.json"
	File = "appliance/web/assets/openapi.json"
)

// API is a handler and the file that it serves.
type API struct {
	Doc     *openapi3.T
	t       testing.TB
	handler http.Handler
}

// New takes the file from h; one that breaks the rules of OpenAPI ends the test.
func New(t testing.TB, h http.Handler) *API {
	t.Helper()
	// These are texts to OpenAPI 3.1, whatever their lines are.
	for _, kind := range []string{"application/x-ndjson", "application/openmetrics-text", "text/event-stream"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil))
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err == nil {
		err = doc.Validate(context.Background(), openapi3.EnableSchemaFormatValidation())
	}
	if err != nil || !doc.IsOpenAPI31OrLater() {
		t.Fatalf("%s is no OpenAPI 3.1: %d, %v", Path, w.Code, err)
	}
	return &API{Doc: doc, t: t, handler: h}
}

// Get asks for a path with its query, wants that code, holds the answer against the
// file, and returns its body.
func (a *API) Get(target string, code int) []byte {
	a.t.Helper()
	return a.ask(context.Background(), target, code)
}

// Begin is Get for who hangs up at once: it returns what an answer without end begins
// with.
func (a *API) Begin(target string, code int) []byte {
	a.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return a.ask(ctx, target, code)
}

func (a *API) ask(ctx context.Context, target string, code int) []byte {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil).WithContext(ctx)
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	if w.Code != code {
		a.t.Errorf("GET %s: %d, want %d: %.200s", target, w.Code, code, w.Body)
	}
	a.Check(r, w.Result(), w.Body.Bytes())
	return w.Body.Bytes()
}

// Check holds an answer to a request against the file.
func (a *API) Check(r *http.Request, answer *http.Response, body []byte) {
	a.t.Helper()
	item := a.Doc.Paths.Value(r.URL.Path)
	if dir := r.URL.Path[:strings.LastIndexByte(r.URL.Path, '/')+1]; item == nil {
		item = a.Doc.Paths.Value(dir + "{id}")
	}
	if item == nil || item.GetOperation(r.Method) == nil {
		a.t.Errorf("%s %s is not in %s: add it to paths", r.Method, r.URL.Path, File)
		return
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: a.Doc, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
		},
		Status: answer.StatusCode, Header: answer.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	if err := openapi3filter.ValidateResponse(context.Background(), in.SetBodyBytes(body)); err != nil {
		a.t.Errorf("%s %s answered %d otherwise than %s says: %.1500s", r.Method, r.URL, answer.StatusCode, File, err)
	}
}

// Lines holds each line against a schema, and returns how many there are.
func (a *API) Lines(schema string, body []byte) (n int) {
	a.t.Helper()
	ref := a.schema(schema)
	if ref == nil {
		return 0
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	for {
		var v map[string]any
		switch err := d.Decode(&v); {
		case err == io.EOF:
			return n
		case err != nil:
			a.t.Errorf("line %d: %v", n+1, err)
			return n
		}
		n++
		if err := ref.VisitJSON(v, openapi3.EnableJSONSchema2020()); err != nil {
			a.t.Errorf("line %d is not what %s says of %s: %.1500s", n, File, schema, err)
		}
		for name := range v {
			if ref.Properties[name] == nil {
				a.t.Errorf("%s of a line is not in %s: add it to properties and required of components.schemas.%s", name, File, schema)
			}
		}
	}
}

func (a *API) schema(name string) *openapi3.Schema {
	a.t.Helper()
	ref := a.Doc.Components.Schemas[name]
	if ref == nil || ref.Value == nil {
		a.t.Errorf("%s lacks components.schemas.%s", File, name)
		return nil
	}
	return ref.Value
}
