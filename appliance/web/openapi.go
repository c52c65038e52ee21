package web

import (
	"fmt"
	"net/http"
)

// OpenAPIPath is where machines find what the station answers them.
const OpenAPIPath = "/api/v1/openapi.json"

// openAPI serves the description of all that is here for machines. Tests hold every
// answer against it.
func openAPI() (http.HandlerFunc, error) {
	text, err := assets.ReadFile("assets/openapi.json")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}, nil
}
