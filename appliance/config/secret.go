package config

import (
	"fmt"
	"log/slog"
)

// hidden is what is shown of a secret.
const hidden = "(hidden)"

// Secret is a text that must not be shown. Whatever prints, logs or encodes it
// gets a word in its place; only Reveal gives the text itself.
type Secret struct {
	text *string // a pointer, which fmt does not follow where it cannot call Format
}

// NewSecret hides s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{&s}
}

// Reveal is the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return hidden
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return fmt.Sprintf("config.NewSecret(%q)", s.String()) }

// Format implements fmt.Formatter: every verb shows as little.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		fmt.Fprint(f, s.GoString())
		return
	}
	fmt.Fprint(f, s.String())
}

// MarshalText implements encoding.TextMarshaler, for JSON and TOML too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
