package release

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// The parts of CycloneDX 1.6 (ECMA-424) that are used.
type (
	bom struct {
		Format       string          `json:"bomFormat"`
		SpecVersion  string          `json:"specVersion"`
		SerialNumber string          `json:"serialNumber,omitempty"`
		Version      int             `json:"version"`
		Metadata     bomMetadata     `json:"metadata"`
		Components   []bomComponent  `json:"components"`
		Dependencies []bomDependency `json:"dependencies"`
	}
	bomMetadata struct {
		Timestamp string       `json:"timestamp"`
		Component bomComponent `json:"component"`
	}
	bomComponent struct {
		Type       string        `json:"type"`
		Ref        string        `json:"bom-ref"`
		Name       string        `json:"name"`
		Version    string        `json:"version"`
		Hashes     []bomHash     `json:"hashes,omitempty"`
		Licenses   []bomLicense  `json:"licenses,omitempty"`
		PURL       string        `json:"purl,omitempty"`
		Properties []bomProperty `json:"properties,omitempty"`
	}
	bomHash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	bomLicense struct {
		Expression string `json:"expression"`
	}
	bomProperty struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	bomDependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn"`
	}
)

// SBOM is the bill of materials of an image in CycloneDX 1.6 JSON. sum is the
// SHA-256 of the unpacked image in hex. The serial number follows from the rest.
func SBOM(board, version string, date time.Time, sum string, components []Component) ([]byte, error) {
	image := bomComponent{
		Type: "firmware", Ref: "truechimer-" + board, Name: "truechimer-" + board, Version: version,
		Hashes: []bomHash{{"SHA-256", sum}},
	}
	b := bom{
		Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata:     bomMetadata{Timestamp: date.UTC().Format(time.RFC3339), Component: image},
		Components:   []bomComponent{},
		Dependencies: []bomDependency{{Ref: image.Ref, DependsOn: []string{}}},
	}
	for _, c := range components {
		purl := c.purl()
		x := bomComponent{Type: "library", Ref: purl, Name: c.Name, Version: c.Version, PURL: purl}
		if id := c.expression(); id != "" {
			x.Licenses = []bomLicense{{id}}
		}
		switch {
		case c.Sum == "":
		case c.Kind == Debian:
			x.Hashes = []bomHash{{"SHA-256", c.Sum}}
		case c.Kind == NPM:
			sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Sum, "sha512-"))
			if err != nil {
				return nil, fmt.Errorf("%s has the integrity %q: %w", c.Name, c.Sum, err)
			}
			x.Hashes = []bomHash{{"SHA-512", hex.EncodeToString(sum)}}
		default: // a hash of hashes, none that CycloneDX knows
			x.Properties = append(x.Properties, bomProperty{"truechimer:go.sum", c.Sum})
		}
		for _, f := range c.Files {
			x.Properties = append(x.Properties, bomProperty{"truechimer:in", f})
		}
		b.Components = append(b.Components, x)
		b.Dependencies[0].DependsOn = append(b.Dependencies[0].DependsOn, x.Ref)
	}
	content, err := json.Marshal(b)
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(content)
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // RFC 9562, section 5.8: version 8
	b.SerialNumber = fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
	return indented(b)
}

func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}
